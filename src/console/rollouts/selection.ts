import { deviceUris, firmwareId } from '../../bmc/device-documents.ts'
import { type Bmc, findComponent } from '../../bmc/bmc.ts'
import type { ManagedDevice } from '../../bmc/managed-device.ts'
import type { UpdateRequest } from '../../bmc/operation.ts'
import type { ReceivedImage } from '../../image/receive.ts'
import type { Message } from '../../redfish/messages/message.ts'
import { referencePath, uris } from '../../redfish/uris.ts'
import type { RolloutPlan } from '../../rollout/plan.ts'
import { type DeviceFacts, select, type Selection, type Skip } from '../../rollout/select.ts'
import { type Decision, decide } from '../../update/policy.ts'
import { report } from '../../update/stages/verify-on-manager.ts'

/** Whom an image and a plan are for, and what was decided of each component that the plan means. */
export interface Chosen {
  readonly selection: Selection
  readonly decisions: ReadonlyMap<string, ComponentDecision>
}

type ComponentDecision = Exclude<Decision, { readonly kind: 'no-target' }>

/** The plan of a request that asks for a roll-out; its references are paths. */
export function planOf({ rollOut }: UpdateRequest): RolloutPlan {
  const { Targets, ExcludeTargets, Aggregate, Filter, MaintenanceWindows, ...plan } = rollOut as RolloutPlan // judged when it came
  return {
    ...plan,
    ...(Filter && { Filter: { ...Filter, ...(Filter.Tags && { Tags: Filter.Tags.map(referencePath) }) } }),
    ...(MaintenanceWindows && {
      MaintenanceWindows: MaintenanceWindows.map((one) =>
        one.Groups ? { ...one, Groups: one.Groups.map(referencePath) } : one,
      ),
    }),
    ...(Targets && { Targets: Targets.map(referencePath) }),
    ...(ExcludeTargets && { ExcludeTargets: ExcludeTargets.map(referencePath) }),
    ...(Aggregate !== undefined && { Aggregate: referencePath(Aggregate) }),
  }
}

/** What a roll-out is to bring, and to whom. */
interface Wanted {
  readonly image: ReceivedImage
  readonly plan: RolloutPlan
  readonly force: boolean
}

/** Chooses among the devices as they are now: all, or those of which `isMeant` says so. */
export function choose(
  bmc: Bmc,
  { image, plan, force }: Wanted,
  isMeant: (id: string) => boolean = () => true,
): Chosen {
  const aggregates = new Map(
    [...bmc.state.aggregates].map(([id, { elements }]) => [uris.aggregate(id), elements] as const),
  )
  const groups = groupsOf(aggregates)
  const devices = [...bmc.state.devices.values()]
    .filter(({ id }) => isMeant(id))
    .map((device) => factsOf(bmc, device, groups))
  const about = { plan, aggregates, image: image.fileName }
  // Who is meant does not depend on the image; and bytes of which nothing is known are for whoever is meant.
  const meant = select({ ...about, devices: devices.map((one) => offering(one, () => '')), force: true })
  const targets = new Set(meant.chosen.flatMap(({ components }) => components.map(({ id }) => id)))
  const decided = image.contents.ok ? decide(bmc, image.contents.value, requestFor(targets, force)) : []
  const decisions = new Map(
    decided.flatMap((one) => (one.kind === 'no-target' ? [] : [[one.component.id, one] as const])),
  )
  const offered = devices.map((one) => offering(one, (id) => offerOf(decisions.get(id))))
  const selection = select({ ...about, devices: offered, force })
  const skipped = selection.skipped.map((skip) => inWords(skip, decisions, image.fileName))
  return { selection: { ...selection, skipped }, decisions }
}

/** An ordinary update of these components, at once. */
export function requestFor(targets: ReadonlySet<string>, force: boolean): UpdateRequest {
  return {
    targets,
    exclude: new Set(),
    force,
    applyTime: 'Immediate',
    stage: false,
    keepsImage: false,
    dryRun: false,
    sha256: undefined,
  }
}

function offerOf(decision: ComponentDecision | undefined): string | undefined {
  if (decision?.kind === 'update') return decision.image.version
  return decision?.kind === 'same-version' ? decision.component.now.version : undefined
}

function offering(device: DeviceFacts, offerTo: (id: string) => string | undefined): DeviceFacts {
  return { ...device, components: device.components.map((one) => ({ ...one, offered: offerTo(one.id) })) }
}

/** A device that is skipped by the rules of updates is told by which. */
function inWords(skip: Skip, decisions: Chosen['decisions'], fileName: string): Skip {
  const told = skip.device.components.flatMap(({ id }): readonly Message[] => {
    const decision = decisions.get(id)
    return decision?.kind === 'downgrade' || decision?.kind === 'too-low' ? report(decision, fileName) : []
  })
  const [message = skip.message] = told
  return { ...skip, message }
}

/** By what a device is called: the first Aggregate that it is in, which is its group. */
function groupsOf(
  aggregates: ReadonlyMap<string, readonly string[]>,
): ReadonlyMap<string, readonly string[]> {
  const groups = new Map<string, string[]>()
  for (const [uri, elements] of aggregates)
    for (const element of elements) {
      const known = groups.get(element)
      if (known === undefined) groups.set(element, [uri])
      else known.push(uri)
    }
  return groups
}

function factsOf(
  bmc: Bmc,
  { id, method, facts }: ManagedDevice,
  groups: ReadonlyMap<string, readonly string[]>,
): DeviceFacts {
  const [uri = '', ...otherUris] = deviceUris(id)
  const tags = [...new Set([uri, ...otherUris].flatMap((one) => groups.get(one) ?? []))]
  const components = facts.firmware
    .filter(({ updateable }) => updateable)
    .flatMap((one) => findComponent(bmc, firmwareId(id, one.id)) ?? [])
  return {
    id,
    uri,
    otherUris,
    name: facts.name,
    model: facts.model,
    source: uris.connectionMethod(method),
    group: tags[0],
    tags,
    components: components.map(({ id: component, uri: at, now, softwareId }) => ({
      id: component,
      uri: at,
      version: now.version,
      softwareId,
    })),
  }
}
