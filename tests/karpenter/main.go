// Command amis asks Karpenter's own AMI provider which images an EC2NodeClass selects: what a node
// would be made of. It reads the EC2NodeClass from standard input, as YAML, and prints the ids, one
// a line, in Karpenter's order. Nothing is remembered from one run to the next, so that each is
// what Karpenter would see once its caches have run out.
//
// The region, the credentials and the endpoint are found as by every AWS client.
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ssmapi "github.com/aws/aws-sdk-go-v2/service/ssm"
	v1 "github.com/aws/karpenter-provider-aws/pkg/apis/v1"
	"github.com/aws/karpenter-provider-aws/pkg/providers/amifamily"
	"github.com/aws/karpenter-provider-aws/pkg/providers/ssm"
	"github.com/patrickmn/go-cache"
	"k8s.io/utils/clock"
	"sigs.k8s.io/yaml"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintf(os.Stderr, "amis: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	manifest, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	nodeClass := &v1.EC2NodeClass{}
	if err := yaml.UnmarshalStrict(manifest, nodeClass); err != nil {
		return fmt.Errorf("the EC2NodeClass on standard input: %w", err)
	}
	if len(nodeClass.Spec.AMISelectorTerms) == 0 {
		return fmt.Errorf("the EC2NodeClass on standard input has no spec.amiSelectorTerms")
	}
	settings, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	forget := func() *cache.Cache { return cache.New(cache.NoExpiration, cache.NoExpiration) }
	parameters := ssm.NewDefaultProvider(ssmapi.NewFromConfig(settings), forget())
	// Only an alias of AWS's own images depends on the version of Kubernetes.
	provider := amifamily.NewDefaultProvider(clock.RealClock{}, nil, parameters, ec2.NewFromConfig(settings), forget())
	images, err := provider.List(ctx, nodeClass)
	if err != nil {
		return err
	}
	for _, image := range images {
		fmt.Println(image.AmiID)
	}
	return nil
}
