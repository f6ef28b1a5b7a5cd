-- How Argo CD judges a MachineImage or an AwsAccount; docs/gitops.md says where this goes.
-- Without strings and patterns, which Argo CD keeps from scripts.
local health = {status = "Progressing", message = "Amity has not looked at this yet"}
local status = obj.status
if status == nil or status.observedGeneration ~= obj.metadata.generation then
  return health
end
local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  conditions[condition.type] = condition
end
local ready, stalled = conditions.Ready, conditions.Stalled
if ready == nil then
  return health
end
health.message = ready.message
if stalled ~= nil and stalled.status == "True" then
  health.status = "Degraded"
elseif ready.status == "True" then
  health.status = "Healthy"
elseif obj.spec.suspend then
  health.status = "Suspended"
end
return health
