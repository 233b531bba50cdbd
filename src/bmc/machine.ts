import { millisecondsOf, type Speed } from '../lib/clock.ts'
import { getPointer } from '../redfish/pointer.ts'
import { isObject, type JsonObject, linkUris, type Resource } from '../redfish/resource.ts'
import { AUDIT_LOG, lastSegment, LOG, uris } from '../redfish/uris.ts'
import { type DeviceBehaviour, type MachineData, readMachineFile } from './machine-file.ts'
import type { ComponentState, Settings } from './state.ts'
import { emptyTrustStore, type TrustStore } from './trust-store.ts'
import { type GivenRules, ordinaryRules, type UpdateRules, withGiven } from './update-rules.ts'

/** What an emulated machine is: shared by every BMC of its kind, never written. */
export interface Machine {
  readonly name: string
  /** The machine's own resources by URI; those that our services provide are not among them. */
  readonly resources: ReadonlyMap<string, Resource>
  readonly components: ReadonlyMap<string, ComponentFacts>
  /** Software of the host, listed beside the firmware. */
  readonly software: ReadonlyMap<string, Resource>
  /** Places that show a component's version, by resource. */
  readonly shown: ReadonlyMap<string, readonly { readonly pointer: string; readonly component: string }[]>
  /** The manager that provides this service. */
  readonly manager: string
  readonly maxParallelUploads: number
  readonly maxParallelFlashes: number
  readonly awaitReset: NonNullable<MachineData['awaitReset']>
  readonly startUpdate: NonNullable<MachineData['startUpdate']>
  readonly updateRules: UpdateRules
  /** Of the components that take bytes of no format. */
  readonly rawRules: readonly RawRule[]
  /** Whether it is a console's: devices are attached to it, and an image may be rolled out to many. */
  readonly managesDevices: boolean
  readonly trust: Required<NonNullable<MachineData['trust']>>
  /** Whom it believes when an image is signed: the configuration's, and no part of its data. */
  readonly trustStore: TrustStore
  /** What an image may call it: the Models of its systems, chassis and managers. */
  readonly models: ReadonlySet<string>
  readonly outage: MachineData['outage']
  /** How much faster than real time its devices work, and it boots: the configuration's, and no part of its data. */
  readonly speed: Speed
  readonly systems: ReadonlyMap<string, MachineData['systems'][string]>
  readonly settings: Settings
}

/** Stands for whatever component a request names: a device may read images of which we know nothing. */
export const ANY_COMPONENT = '*'

/** How the version of a component's firmware is found in bytes of no format: the first group, or all that matches. */
export interface RawRule {
  readonly component: string
  /** `undefined`: it is not; what it was is known when it runs. */
  readonly version: RegExp | undefined
}

/** What never changes about a firmware component. */
export interface ComponentFacts {
  readonly id: string
  readonly uri: string
  readonly resource: Resource
  /** Correlates images with components. */
  readonly softwareId: string
  readonly updateable: boolean
  readonly lowestSupportedVersion: string | undefined
  readonly relatedItems: readonly string[]
  readonly behaviour: DeviceBehaviour
  readonly factory: ComponentState
  /** Of a console: the managed device that it is on, and which of its firmware it is. */
  readonly on?: { readonly device: string; readonly firmware: string }
}

/** How a device behaves about which the machine's data says nothing. */
export const ordinaryBehaviour: DeviceBehaviour = {
  bandwidthBytesPerSecond: 16 * 2 ** 20,
  verifyMs: 2_000,
  installMs: 15_000,
  activateMs: 2_000,
  capacityBytes: 2 ** 31 - 1,
}
const ordinarySystem = { shutdownMs: 5_000, bootMs: 30_000 }
const ordinaryOutage = { kind: 'unavailable', bootMs: 30_000 } as const

const settings: Settings = {
  updateServiceEnabled: true,
  verifyRemoteServerCertificate: false,
  verifyRemoteServerSshKey: false,
  maintenanceWindowStart: millisecondsOf('2026-01-01T02:00:00Z'),
  maintenanceWindowS: 7_200,
  pushTargets: [],
  pushForce: false,
  pushApplyTime: 'Immediate',
  pushTargetsBusy: false,
  pushOptionsBusy: false,
  sessionServiceEnabled: true,
  sessionTimeoutS: 1_800,
  absoluteSessionTimeoutS: 86_400,
  absoluteSessionTimeoutEnabled: false,
  accountServiceEnabled: true,
  minPasswordLength: 8,
  httpBasicAuth: 'Enabled',
  lockoutThreshold: 10,
  lockoutDurationS: 30,
  lockoutResetAfterS: 30,
  lockoutResetEnabled: true,
  jobServiceEnabled: true,
  taskAutoDeleteMinutes: 1_440,
  taskMonitorExpiryS: null,
  eventServiceEnabled: true,
  deliveryRetryAttempts: 3,
  deliveryRetryIntervalS: 30,
}

/** What our services provide themselves: a mockup's resources there are not served. */
const ours = [
  uris.updateService,
  uris.taskService,
  uris.jobService,
  uris.sessionService,
  uris.accountService,
  uris.certificateService,
  uris.registries,
  uris.jsonSchemas,
  uris.odata,
  uris.eventService,
]

/**
 * Makes a machine of a mockup's resources and, where it comes with one, its `machine.json`.
 * Throws an Error that lists everything wrong with that file.
 */
export function createMachine(
  name: string,
  documents: ReadonlyMap<string, JsonObject>,
  file?: unknown,
  isOurs = false,
): Machine {
  // A test judges ours: no start waits for that.
  const data = isOurs || file === undefined ? (file as MachineData | undefined) : readMachineFile(name, file)
  const manager = data?.manager ?? firstMember(documents, uris.managers)
  const components = new Map(
    members(documents, uris.firmwareInventory).map((resource) => {
      const facts = componentFacts(resource, data?.components[lastSegment(resource['@odata.id'])])
      return [facts.id, facts] as const
    }),
  )
  requireBackups(name, components)
  const taken = [
    ...ours,
    uris.networkProtocol(manager),
    ...[LOG, AUDIT_LOG].map((log) => uris.logService(manager, log)),
  ]
  const resources = new Map(
    [...documents]
      .filter(([uri]) => !taken.some((prefix) => uri === prefix || uri.startsWith(`${prefix}/`)))
      .flatMap(([uri, document]) => (isResource(document) ? [[uri, document] as const] : [])),
  )
  const systemUris = linkUris(documents.get(uris.systems)?.['Members'])
  const managesDevices = data?.managesDevices ?? false
  const machine: Machine = {
    name,
    resources,
    components,
    software: new Map(
      members(documents, uris.softwareInventory).map((one) => [lastSegment(one['@odata.id']), one]),
    ),
    shown: shownVersions(resources, [...components.values()]),
    manager,
    maxParallelUploads: data?.maxParallelUploads ?? 1,
    maxParallelFlashes: data?.maxParallelFlashes ?? Infinity,
    awaitReset: data?.awaitReset ?? 'job',
    startUpdate: data?.startUpdate ?? 'own-task',
    updateRules: ordinaryRules,
    managesDevices,
    rawRules: [
      ...rawRules(components),
      ...(managesDevices ? [{ component: ANY_COMPONENT, version: undefined }] : []),
    ],
    trust: { unsigned: 'accept', revokedDigests: [], ...data?.trust },
    trustStore: emptyTrustStore,
    models: modelsOf(documents),
    outage: data?.outage ?? ordinaryOutage,
    speed: 1,
    systems: new Map(systemUris.map((uri) => [uri, data?.systems[uri] ?? ordinarySystem])),
    settings: { ...settings, ...windowOf(data) },
  }
  return underRules(machine, data?.updateRules ?? {})
}

/** The machine with these rules of its update service, and its own where they say nothing. */
export function underRules(machine: Machine, { onlyWhenNamed = [], ...given }: GivenRules): Machine {
  const components = [...machine.components].map(([id, facts]) => {
    const behaviour = { ...facts.behaviour, ...(onlyWhenNamed.includes(id) && { onlyWhenNamed: true }) }
    return [id, { ...facts, behaviour }] as const
  })
  return { ...machine, components: new Map(components), updateRules: withGiven(machine.updateRules, given) }
}

function modelsOf(documents: ReadonlyMap<string, JsonObject>): ReadonlySet<string> {
  const named = [uris.systems, uris.chassis, uris.managers].flatMap((uri) => members(documents, uri))
  return new Set(named.flatMap((resource) => text(resource['Model']) ?? []))
}

function windowOf(data: MachineData | undefined): Partial<Settings> {
  const { start, durationS } = data?.maintenanceWindow ?? {}
  if (start === undefined || durationS === undefined) return {}
  return { maintenanceWindowStart: millisecondsOf(start), maintenanceWindowS: durationS }
}

/** Throws an Error that lists every backup that is no other component. */
function requireBackups(name: string, components: ReadonlyMap<string, ComponentFacts>): void {
  const lines = [...components.values()].flatMap(({ id, behaviour: { backup } }) =>
    backup === undefined || (backup !== id && components.has(backup))
      ? []
      : [`  /components/${id}/backup: ${backup}, expected another component`],
  )
  if (lines.length > 0) throw new Error(`machine ${name}: machine.json is wrong:\n${lines.join('\n')}`)
}

function rawRules(components: Machine['components']): RawRule[] {
  return [...components.values()].flatMap(({ id, behaviour: { identity } }) =>
    identity?.raw === undefined ? [] : [{ component: id, version: new RegExp(identity.raw.version, 'gu') }],
  )
}

function componentFacts(resource: Resource, behaviour: DeviceBehaviour = ordinaryBehaviour): ComponentFacts {
  const id = lastSegment(resource['@odata.id'])
  const status = isObject(resource['Status']) ? resource['Status'] : {}
  return {
    id,
    uri: resource['@odata.id'],
    resource,
    softwareId: text(resource['SoftwareId']) ?? id,
    updateable: resource['Updateable'] !== false,
    lowestSupportedVersion: text(resource['LowestSupportedVersion']),
    relatedItems: linkUris(resource['RelatedItem']),
    behaviour,
    factory: {
      version: text(resource['Version']) ?? '0',
      releaseDate: text(resource['ReleaseDate']),
      state: text(status['State']) ?? 'Enabled',
      health: text(status['Health']) ?? 'OK',
      sizeBytes: typeof resource['SizeBytes'] === 'number' ? resource['SizeBytes'] : undefined,
      pending: undefined,
    },
  }
}

/** Where versions show: as the machine's data says, else where a related resource shows the same version today. */
function shownVersions(
  resources: ReadonlyMap<string, Resource>,
  components: readonly ComponentFacts[],
): Machine['shown'] {
  const shown = new Map<string, { pointer: string; component: string }[]>()
  for (const { id, behaviour, relatedItems, factory } of components) {
    const guessed = relatedItems.flatMap((resource) =>
      ['/FirmwareVersion', '/BiosVersion'].map((pointer) => ({ resource, pointer })),
    )
    for (const { resource, pointer } of behaviour.shownBy ?? guessed) {
      if (getPointer(resources.get(resource), pointer) !== factory.version) continue
      shown.set(resource, [...(shown.get(resource) ?? []), { pointer, component: id }])
    }
  }
  return shown
}

function members(documents: ReadonlyMap<string, JsonObject>, uri: string): Resource[] {
  return linkUris(documents.get(uri)?.['Members']).flatMap((member) => {
    const document = documents.get(member)
    return document !== undefined && isResource(document) ? [document] : []
  })
}

function firstMember(documents: ReadonlyMap<string, JsonObject>, uri: string): string {
  return linkUris(documents.get(uri)?.['Members'])[0] ?? uris.manager('1')
}

function isResource(document: JsonObject): document is Resource {
  return typeof document['@odata.id'] === 'string' && typeof document['@odata.type'] === 'string'
}

function text(value: JsonObject[string]): string | undefined {
  return typeof value === 'string' ? value : undefined
}
