// Command health says what others make of objects: kstatus, the library by which Flux and others wait
// for them, and Argo CD, with a script of ours.
//
// It takes the file of the script, reads the objects from standard input, as JSON one after the
// other, and prints the two verdicts on each, as JSON a line.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

type verdict struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

type verdicts struct {
	Kstatus verdict `json:"kstatus"`
	ArgoCD  verdict `json:"argocd"`
}

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "health: %v\n", err)
		os.Exit(1)
	}
}

func run(arguments []string, input io.Reader, output io.Writer) error {
	if len(arguments) != 1 {
		return errors.New("the one argument is the file of the script")
	}
	script, err := os.ReadFile(arguments[0])
	if err != nil {
		return err
	}
	objects, results := json.NewDecoder(input), json.NewEncoder(output)
	for {
		var text json.RawMessage
		err := objects.Decode(&text)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("standard input: %w", err)
		}
		// As clients decode it: whole numbers are int64, which kstatus asks for.
		object := &unstructured.Unstructured{}
		if err := object.UnmarshalJSON(text); err != nil {
			return fmt.Errorf("the object on standard input: %w", err)
		}
		result, err := status.Compute(object)
		if err != nil {
			return fmt.Errorf("%s %s: %w", object.GetKind(), object.GetName(), err)
		}
		argoCD, err := byScript(string(script), object)
		if err != nil {
			return fmt.Errorf("%s %s: %w", object.GetKind(), object.GetName(), err)
		}
		both := verdicts{verdict{result.Status.String(), result.Message}, argoCD}
		if err := results.Encode(both); err != nil {
			return err
		}
	}
}

// byScript runs a script as Argo CD does (its util/lua/lua.go): with the same interpreter and the same
// libraries, but for that of time, and the object in a global variable.
func byScript(script string, object *unstructured.Unstructured) (verdict, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for _, library := range []struct {
		name string
		open lua.LGFunction
	}{
		{lua.LoadLibName, lua.OpenPackage},
		{lua.BaseLibName, lua.OpenBase},
		{lua.TabLibName, lua.OpenTable},
	} {
		open := lua.P{Fn: state.NewFunction(library.open), Protect: true}
		if err := state.CallByParam(open, lua.LString(library.name)); err != nil {
			return verdict{}, err
		}
	}
	state.SetGlobal("obj", luaValue(state, object.Object))
	if err := state.DoString(script); err != nil {
		return verdict{}, err
	}
	health, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		return verdict{}, fmt.Errorf("the script returns a %s and not a table", state.Get(-1).Type())
	}
	text := func(field string) string { return lua.LVAsString(health.RawGetString(field)) }
	return verdict{text("status"), text("message")}, nil
}

func luaValue(state *lua.LState, value any) lua.LValue {
	switch value := value.(type) {
	case bool:
		return lua.LBool(value)
	case int64:
		return lua.LNumber(value)
	case float64:
		return lua.LNumber(value)
	case string:
		return lua.LString(value)
	case []any:
		table := state.NewTable()
		for _, one := range value {
			table.Append(luaValue(state, one))
		}
		return table
	case map[string]any:
		table := state.NewTable()
		for key, one := range value {
			table.RawSetString(key, luaValue(state, one))
		}
		return table
	default:
		return lua.LNil
	}
}
