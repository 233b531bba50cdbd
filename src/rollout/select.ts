import { type Message, message } from '../redfish/messages/message.ts'
import { compareVersions } from '../update/version.ts'
import type { RolloutPlan } from './plan.ts'

/** What is to be known of a device to decide whether a roll-out is for it. */
export interface DeviceFacts {
  readonly id: string
  readonly uri: string
  /** Of its other resources, as a Manager or a Chassis: a reference to them is one to the device. */
  readonly otherUris?: readonly string[]
  readonly name: string
  readonly model?: string | undefined
  /** Where it was attached: an AggregationSource. */
  readonly source?: string | undefined
  readonly group?: string | undefined
  readonly tags?: readonly string[]
  readonly components: readonly ComponentFacts[]
}

interface ComponentFacts {
  readonly id: string
  readonly uri: string
  readonly version: string
  readonly softwareId?: string | undefined
  readonly versionScheme?: string | undefined
  /** The version that the image has for it; absent where the image is for something else. */
  readonly offered?: string | undefined
}

/** A device that is to be updated, and what of it. */
export interface Chosen {
  readonly device: DeviceFacts
  readonly components: readonly ChosenComponent[]
}

export interface ChosenComponent {
  readonly id: string
  readonly uri: string
  readonly from: string
  readonly to: string
}

/** A device that was meant, and is not to be updated: the message tells why. */
export interface Skip {
  readonly device: DeviceFacts
  readonly message: Message
}

export interface Selection {
  readonly chosen: readonly Chosen[]
  readonly skipped: readonly Skip[]
  /** References of the plan that lead to no device. */
  readonly unknown: readonly string[]
}

export interface SelectionInput {
  readonly plan: RolloutPlan
  readonly devices: readonly DeviceFacts[]
  /** By the URI of an Aggregate: those of its elements. */
  readonly aggregates?: ReadonlyMap<string, readonly string[]>
  /** What messages call the image. */
  readonly image: string
  /** Whether devices are to be updated that run the version already. */
  readonly force?: boolean
}

/**
 * The devices that a plan is for, in the order in which they are given. Targets and the Aggregate say which; all are
 * where neither is there. The filter lets some of them pass, and those that are excluded are as if they were not there.
 */
export function select({ plan, devices, aggregates, image, force = false }: SelectionInput): Selection {
  const named = [...(plan.Targets ?? []), ...(plan.Aggregate === undefined ? [] : [plan.Aggregate])]
  const resolved = (uris: readonly string[]): Set<string> =>
    new Set(uris.flatMap((uri) => [uri, ...(aggregates?.get(uri) ?? [])]))
  const [wanted, excluded] = [resolved(named), resolved(plan.ExcludeTargets ?? [])]
  const passes = filterOf(plan)
  const chosen: Chosen[] = []
  const skipped: Skip[] = []
  for (const device of devices) {
    if (!isOneOf(device, excluded) && passes.device(device)) {
      const isWanted = named.length === 0 || isOneOf(device, wanted)
      const meant = device.components.filter(
        (one) => (isWanted || wanted.has(one.uri)) && !excluded.has(one.uri) && passes.component(one),
      )
      const components = meant.flatMap((one) => toChange(one, force))
      if (components.length > 0) chosen.push({ device, components })
      else if (meant.length > 0) skipped.push({ device, message: whySkipped(meant, device, image) })
    }
  }
  const known = new Set([...devices.flatMap(urisOf), ...(aggregates?.keys() ?? [])])
  const unknown = [...named, ...(plan.ExcludeTargets ?? [])].filter((uri) => !known.has(uri))
  return { chosen, skipped, unknown }
}

function urisOf(device: DeviceFacts): string[] {
  return [device.uri, ...(device.otherUris ?? []), ...device.components.map(({ uri }) => uri)]
}

function isOneOf({ uri, otherUris = [] }: DeviceFacts, uris: ReadonlySet<string>): boolean {
  return uris.has(uri) || otherUris.some((other) => uris.has(other))
}

function toChange({ id, uri, version, offered }: ComponentFacts, force: boolean): ChosenComponent[] {
  return offered !== undefined && (force || offered !== version)
    ? [{ id, uri, from: version, to: offered }]
    : []
}

function whySkipped(meant: readonly ComponentFacts[], device: DeviceFacts, image: string): Message {
  const isThere = meant.some(({ offered }) => offered !== undefined)
  return isThere
    ? message('Update.UpdateSkippedSameVersion', device.uri, image)
    : message('Update.UpdateNotApplicable', image, device.uri)
}

/** Who passes the filter: one of the values of each member that it has. */
function filterOf({ Filter: filter = {} }: RolloutPlan): {
  readonly device: (device: DeviceFacts) => boolean
  readonly component: (component: ComponentFacts) => boolean
} {
  const {
    Models: models,
    Components: components,
    Versions: versions,
    VersionBelow: below,
    Tags: tags,
  } = filter
  return {
    device: ({ model, tags: own = [] }) =>
      (models === undefined || (model !== undefined && models.includes(model))) &&
      (tags === undefined || own.some((tag) => tags.includes(tag))),
    component: ({ id, softwareId, version, versionScheme }) =>
      (components === undefined ||
        components.includes(id) ||
        (softwareId !== undefined && components.includes(softwareId))) &&
      (versions === undefined || versions.includes(version)) &&
      (below === undefined || compareVersions(version, below, versionScheme) < 0),
  }
}
