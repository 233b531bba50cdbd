import { CONSOLE } from './bmc/mockup-folder.ts'
import { parseDestinations } from './events/destinations.ts'
import { DEFAULT_PASSWORD, parseSpeed } from './fleet/bmc-settings.ts'
import { isLoopbackAddress, type ReachKind, reachKinds } from './http/reach.ts'
import type { Speed } from './lib/clock.ts'
import { fail, type Result, succeed } from './lib/result.ts'
import { type TSchema, Type } from './lib/schema.ts'
import { parseSize } from './lib/size.ts'
import { judge, type Mistake } from './redfish/validation.ts'
import { type UpdateMethod, updateMethods } from './services/update-service/methods.ts'
import { type GivenSettings, type SettingName, settings } from './settings.ts'
import { parseImageSources } from './transfer/addresses.ts'
import { parseImageFolders } from './transfer/image-folders.ts'

/** Settings with every one of them there. */
type AllSettings = { [N in SettingName]: Exclude<GivenSettings[N], undefined> }

/** The configuration of a service, complete and checked. */
export type Config = Readonly<
  Omit<
    AllSettings,
    | 'speed'
    | 'reach'
    | 'controlPort'
    | 'maxConnections'
    | 'spoolSize'
    | 'maxImageSize'
    | 'imageStoreSize'
    | 'updateMethods'
    | 'uploadTimeout'
    | 'requestTimeout'
    | 'flasher'
  > & {
    speed: Speed
    reach: ReadonlySet<ReachKind>
    controlPort: number | undefined
    /** `undefined`: as many as the size of the service asks for. */
    maxConnections: number | undefined
    maxImageBytes: number
    spoolBytes: number
    imageStoreBytes: number
    updateMethods: ReadonlySet<UpdateMethod>
    uploadStallMs: number
    requestTimeoutMs: number
    /** By which a console reaches devices. */
    deviceModule: string
  }
>

/** Where settings come from, the weakest first: each source overrides those before it. */
export interface Source {
  /** How to name a setting of this source to the one who wrote it. */
  readonly nameOf: (setting: string) => string
  /** Texts (arguments, environment) are turned into what their setting is made of. */
  readonly isText: boolean
  readonly values: Readonly<Record<string, unknown>>
}

/** Judges the settings that are given: no start waits for the schemas of all others. */
function judgeGiven(given: Readonly<Record<string, unknown>>): Result<unknown, readonly Mistake[]> {
  const known = Object.entries(settings).filter(([name]) => Object.hasOwn(given, name))
  const members = known.map(([name, { schema }]) => [name, Type.Optional(schema)] as const)
  return judge(Type.Object(Object.fromEntries(members), { additionalProperties: false }))(given)
}

/** Merges the sources and checks everything: the configuration, or a line for every mistake. */
export function parseConfig(sources: readonly Source[]): Result<Config, readonly string[]> {
  const mistakes: string[] = []
  const values: Record<string, unknown> = Object.fromEntries(
    Object.entries(settings).map(([name, setting]) => [name, setting.default]),
  )
  const origin = new Map<string, string>()
  for (const { nameOf, isText, values: given } of sources) {
    const typed = isText ? mapValues(given, fromText) : given
    const judged = judgeGiven(typed)
    if (!judged.ok) mistakes.push(...judged.problem.map((mistake) => describe(mistake, nameOf)))
    for (const name of Object.keys(typed)) origin.set(name, nameOf(name))
    Object.assign(values, typed)
  }
  if (mistakes.length > 0) return fail(mistakes)
  const config = complete(values as AllSettings) // judged above
  const conflicts = findConflicts(config, (name) => origin.get(name) ?? name)
  return conflicts.length > 0 ? fail(conflicts) : succeed(Object.freeze(config))
}

function complete({
  speed,
  reach,
  controlPort,
  maxConnections,
  maxImageSize,
  imageStoreSize,
  spoolSize,
  updateMethods: listed,
  uploadTimeout,
  requestTimeout,
  flasher: deviceModule,
  ...rest
}: AllSettings): Config {
  return {
    ...rest,
    machine: rest.console ? CONSOLE : rest.machine,
    speed: parseSpeed(speed),
    reach: new Set(reachKinds.filter((kind) => reach.split(/[ ,]+/).includes(kind))),
    controlPort: controlPort === '' ? undefined : Number(controlPort),
    maxConnections: maxConnections === '' ? undefined : Number(maxConnections),
    maxImageBytes: parseSize(maxImageSize) ?? 0,
    imageStoreBytes: parseSize(imageStoreSize) ?? 0,
    spoolBytes: parseSize(spoolSize) ?? Infinity,
    updateMethods: new Set(updateMethods.filter((method) => listed.split(/[ ,]+/).includes(method))),
    uploadStallMs: uploadTimeout * 1_000,
    requestTimeoutMs: requestTimeout * 1_000,
    deviceModule,
  }
}

/** What is right one by one, and wrong together. */
function findConflicts(config: Config, nameOf: (name: SettingName) => string): string[] {
  const conflicts: string[] = []
  const lists = {
    eventDestinations: parseDestinations,
    imageSources: parseImageSources,
    imageFolders: parseImageFolders,
  }
  for (const name of ['eventDestinations', 'imageSources', 'imageFolders'] as const) {
    if (lists[name](config[name]) !== undefined) continue
    const { expected } = settings[name]
    conflicts.push(`${nameOf(name)}: ${JSON.stringify(config[name])} is wrong, expected ${expected}`)
  }
  if (!config.http && !config.https)
    conflicts.push(`${nameOf('http')}, ${nameOf('https')}: at least one must be served`)
  if (config.http && !config.https && config.httpMode === 'redirect') {
    conflicts.push(`${nameOf('httpMode')}, ${nameOf('https')}: redirect needs HTTPS`)
  }
  if (config.data !== '' && config.spool !== '') {
    conflicts.push(`${nameOf('data')}, ${nameOf('spool')}: give one of them, with data images wait there`)
  }
  if (config.mqtts !== '' && config.mqtt.includes(':'))
    conflicts.push(
      `${nameOf('mqtts')}, ${nameOf('mqtt')}: a broker of others says itself whether it speaks TLS`,
    )
  conflicts.push(...fleetConflicts(config, nameOf))
  if (!isLoopback(config.host) && config.password === DEFAULT_PASSWORD) {
    conflicts.push(
      `${nameOf('host')}: beyond loopback a ${nameOf('password')} other than the default is needed`,
    )
  }
  if ((config.tlsCert === '') !== (config.tlsKey === '')) {
    conflicts.push(`${nameOf('tlsCert')}, ${nameOf('tlsKey')}: give both or neither`)
  }
  return conflicts
}

/** What a fleet does not go together with. */
function fleetConflicts(config: Config, nameOf: (name: SettingName) => string): string[] {
  const { bmcs, fleet, ssdp, httpMode, password } = config
  if (!isFleet(config)) return fleetless(config, nameOf)
  const rules: readonly (readonly [broken: boolean, conflict: string])[] = [
    [bmcs > 1 && fleet !== '', `${nameOf('bmcs')}, ${nameOf('fleet')}: give one of them`],
    [config.console, `${nameOf('console')}: a console is one service, and no fleet`],
    [ssdp, `${nameOf('ssdp')}: a fleet is not searched for`],
    [httpMode === 'redirect', `${nameOf('httpMode')}: a fleet does not redirect`],
    [
      hasOpenAddresses(config) && password === DEFAULT_PASSWORD,
      `${nameOf('firstAddress')}: beyond loopback a ${nameOf('password')} other than the default is needed`,
    ],
  ]
  return rules.flatMap(([broken, conflict]) => (broken ? [conflict] : []))
}

/** What nothing comes of without a fleet. */
function fleetless(
  { controlPort, reach, firstAddress, seed }: Config,
  nameOf: (name: SettingName) => string,
): string[] {
  const rules: readonly (readonly [given: boolean, conflict: string])[] = [
    [controlPort !== undefined, `${nameOf('controlPort')}: only a fleet is controlled`],
    [[...reach].join() !== settings.reach.default, `${nameOf('reach')}: only a fleet has ways to be reached`],
    [
      firstAddress !== settings.firstAddress.default,
      `${nameOf('firstAddress')}: only the BMCs of a fleet have addresses`,
    ],
    [seed !== settings.seed.default, `${nameOf('seed')}: only a fleet is derived from one`],
  ]
  return rules.flatMap(([given, conflict]) => (given ? [conflict] : []))
}

/** Whether others than this machine can come. */
export function isOpen(config: Config): boolean {
  return !isLoopback(config.host) || (isFleet(config) && hasOpenAddresses(config))
}

function hasOpenAddresses({ reach, firstAddress }: Config): boolean {
  return reach.has('address') && !isLoopbackAddress(firstAddress)
}

/** Whether there are many BMCs, or may be. */
export function isFleet({ bmcs, fleet }: Pick<Config, 'bmcs' | 'fleet'>): boolean {
  return bmcs > 1 || fleet !== ''
}

/** Whether clients are told to use nothing but HTTPS: a promise for every service of the host, so not on loopback. */
export function isStrict({ host, http, https }: Pick<Config, 'host' | 'http' | 'https'>): boolean {
  return https && !http && !isLoopback(host)
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
}

function describe({ pointer, kind, value, expected }: Mistake, nameOf: Source['nameOf']): string {
  const name = pointer.split('/')[1] ?? ''
  const setting = Object.hasOwn(settings, name) ? settings[name as SettingName] : undefined
  if (kind === 'unknown') return `${nameOf(name)}: there is no such setting`
  const shown = name === 'password' ? '' : `${JSON.stringify(value)} is wrong, `
  return `${nameOf(name)}: ${shown}expected ${setting?.expected ?? expected}`
}

/** What a text means for its setting; one that means nothing stays a text, and is reported as such. */
function fromText(value: unknown, name: string): unknown {
  if (typeof value !== 'string' || !Object.hasOwn(settings, name)) return value
  const schema: TSchema = settings[name as SettingName].schema
  const type = 'type' in schema ? schema.type : undefined
  if (type === 'boolean') return value === 'true' || (value === 'false' ? false : value)
  const isNumber = type === 'integer' || type === 'number'
  return isNumber && value.trim() !== '' && Number.isFinite(Number(value)) ? Number(value) : value
}

function mapValues(
  record: Readonly<Record<string, unknown>>,
  map: (value: unknown, name: string) => unknown,
) {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, map(value, name)]))
}
