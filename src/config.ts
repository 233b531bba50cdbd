import { type Static, type TSchema, Type } from './lib/schema.ts'
import { LOOPBACK, parseDestinations } from './events/destinations.ts'
import type { Speed } from './lib/clock.ts'
import { fail, type Result, succeed } from './lib/result.ts'
import { judge, type Mistake } from './redfish/validation.ts'

const DEFAULT_PASSWORD = 'redflash'
const Port = Type.Integer({ minimum: 0, maximum: 65_535 })
const NonEmpty = Type.String({ minLength: 1 })
const SPEED = /^(max|\d*[1-9]\d*(\.\d+)?|0?\.\d*[1-9]\d*)$/
const SIZE = /^([1-9][0-9]*)(B|KiB|MiB|GiB)?$/
const units: Readonly<Record<string, number>> = { '': 1, B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 }

interface Setting {
  readonly schema: TSchema
  readonly default: unknown
  /** What stands for the value in the command line's help; switches have none. */
  readonly placeholder?: string
  readonly help: string
  /** What would be right, for the one who got it wrong. */
  readonly expected: string
}

const port = 'a port number from 0 (any free one) to 65535'
const choice = <const T extends string>(...values: T[]) => ({
  // Without a type: one mistake is told once.
  schema: Type.Unsafe<T>({ enum: values }),
  expected: `one of ${values.join(', ')}`,
})

/** Every setting, once: the command line, the environment, the file and the documentation are made of this table. */
export const settings = {
  host: {
    schema: NonEmpty,
    default: '127.0.0.1',
    placeholder: 'address',
    help: 'address to listen on',
    expected: 'a host name or address',
  },
  port: {
    schema: Port,
    default: 8000,
    placeholder: 'number',
    help: 'HTTP port, 0 for any free one',
    expected: port,
  },
  httpsPort: {
    schema: Port,
    default: 8443,
    placeholder: 'number',
    help: 'HTTPS port, 0 for any free one',
    expected: port,
  },
  http: { schema: Type.Boolean(), default: true, help: 'serve HTTP', expected: 'true or false' },
  httpMode: {
    ...choice('serve', 'redirect'),
    default: 'serve',
    placeholder: 'mode',
    help: 'what the HTTP port does: serve, or redirect to HTTPS',
  },
  https: { schema: Type.Boolean(), default: true, help: 'serve HTTPS', expected: 'true or false' },
  ssdp: {
    schema: Type.Boolean(),
    default: false,
    help: 'answer SSDP searches for Redfish services',
    expected: 'true or false',
  },
  metrics: {
    schema: Type.Boolean(),
    default: false,
    help: 'serve counters for Prometheus at /metrics',
    expected: 'true or false',
  },
  tlsCert: {
    schema: Type.String(),
    default: '',
    placeholder: 'file',
    help: 'certificate chain (PEM) for HTTPS; made at start when not given',
    expected: 'a file name',
  },
  tlsKey: {
    schema: Type.String(),
    default: '',
    placeholder: 'file',
    help: 'private key (PEM) of the certificate',
    expected: 'a file name',
  },
  user: {
    schema: Type.String({ pattern: '^[^:]+$' }),
    default: 'admin',
    placeholder: 'name',
    help: 'name of the administrator',
    expected: 'a name without a colon',
  },
  password: {
    schema: NonEmpty,
    default: DEFAULT_PASSWORD,
    placeholder: 'password',
    help: 'password of the administrator',
    expected: 'a password that is not empty',
  },
  machine: {
    schema: NonEmpty,
    default: 'rackmount',
    placeholder: 'name|folder',
    help: 'machine to emulate: rackmount, bladed, or a folder with a mockup',
    expected: 'rackmount, bladed or a folder',
  },
  speed: {
    schema: Type.Unsafe<string | number>({
      type: ['string', 'number'],
      pattern: SPEED.source,
      exclusiveMinimum: 0,
    }),
    default: '1',
    placeholder: 'n|max',
    help: 'how much faster than real time devices work; max does not wait',
    expected: 'a number above 0, or max',
  },
  spool: {
    schema: Type.String(),
    default: '',
    placeholder: 'folder',
    help: 'where images wait; the system’s temporary folder by default',
    expected: 'a folder',
  },
  maxImageSize: {
    schema: Type.String({ pattern: SIZE.source }),
    default: '2047MiB',
    placeholder: 'size',
    help: 'largest image accepted',
    expected: 'a number of bytes, or one with KiB, MiB or GiB',
  },
  uploadTimeout: {
    schema: Type.Number({ exclusiveMinimum: 0 }),
    default: 60,
    placeholder: 'seconds',
    help: 'an upload that sends nothing for this long is given up',
    expected: 'a number of seconds above 0',
  },
  requestTimeout: {
    schema: Type.Number({ exclusiveMinimum: 0 }),
    default: 60,
    placeholder: 'seconds',
    help: 'how long a client may take for the headers of a request, and for a body that is no image',
    expected: 'a number of seconds above 0',
  },
  maxConnections: {
    schema: Type.Integer({ minimum: 1 }),
    default: 4_096,
    placeholder: 'number',
    help: 'most connections to each port; more are closed at once',
    expected: 'a whole number above 0',
  },
  taskMonitor: {
    ...choice('response', 'task', 'empty'),
    default: 'response',
    placeholder: 'style',
    help: 'what a task monitor answers at the end: DSP2062’s response, the task, or nothing (204)',
  },
  pageSize: {
    schema: Type.Integer({ minimum: 0 }),
    default: 0,
    placeholder: 'number',
    help: 'most members of a collection in one answer, 0 for no limit',
    expected: 'a whole number, 0 for no limit',
  },
  eventDestinations: {
    schema: Type.String(),
    default: LOOPBACK,
    placeholder: 'list',
    help: 'where events may be sent: addresses, CIDR ranges and host names, separated by commas',
    expected: 'addresses, CIDR ranges and host names, separated by commas',
  },
  logLevel: {
    ...choice('silent', 'fatal', 'error', 'warn', 'info', 'debug', 'trace'),
    default: 'info',
    placeholder: 'level',
    help: 'how much is logged to standard error',
  },
} as const satisfies Readonly<Record<string, Setting>>

type Settings = typeof settings
export type SettingName = keyof Settings
/** Settings as given: those left out take their default. */
export type GivenSettings = { readonly [N in SettingName]?: Static<Settings[N]['schema']> | undefined }

/** The configuration of a service, complete and checked. */
export type Config = Readonly<
  Omit<
    { [N in SettingName]: Static<Settings[N]['schema']> },
    'speed' | 'maxImageSize' | 'uploadTimeout' | 'requestTimeout'
  > & {
    speed: Speed
    maxImageBytes: number
    uploadStallMs: number
    requestTimeoutMs: number
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

const judgeSettings = judge(
  Type.Object(
    Object.fromEntries(Object.entries(settings).map(([name, { schema }]) => [name, Type.Optional(schema)])),
    { additionalProperties: false },
  ),
)

/** Merges the sources and checks everything: the configuration, or a line for every mistake. */
export function parseConfig(sources: readonly Source[]): Result<Config, readonly string[]> {
  const mistakes: string[] = []
  const values: Record<string, unknown> = Object.fromEntries(
    Object.entries(settings).map(([name, setting]) => [name, setting.default]),
  )
  const origin = new Map<string, string>()
  for (const { nameOf, isText, values: given } of sources) {
    const typed = isText ? mapValues(given, fromText) : given
    const judged = judgeSettings(typed)
    if (!judged.ok) mistakes.push(...judged.problem.map((mistake) => describe(mistake, nameOf)))
    for (const name of Object.keys(typed)) origin.set(name, nameOf(name))
    Object.assign(values, typed)
  }
  if (mistakes.length > 0) return fail(mistakes)
  const config = complete(values as { [N in SettingName]: Static<Settings[N]['schema']> }) // judged above
  const conflicts = findConflicts(config, (name) => origin.get(name) ?? name)
  return conflicts.length > 0 ? fail(conflicts) : succeed(Object.freeze(config))
}

/** The default of a setting as it is documented. */
export function defaultOf(name: SettingName): string {
  return String(settings[name].default)
}

/** The bytes that a size means: a number alone, or with B, KiB, MiB or GiB; `undefined` when it is none. */
export function parseSize(text: string): number | undefined {
  const [, digits, unit = ''] = SIZE.exec(text) ?? []
  return digits === undefined ? undefined : Number(digits) * (units[unit] ?? 1)
}

function complete({
  speed,
  maxImageSize,
  uploadTimeout,
  requestTimeout,
  ...rest
}: { [N in SettingName]: Static<Settings[N]['schema']> }): Config {
  return {
    ...rest,
    speed: speed === 'max' ? 'max' : Number(speed),
    maxImageBytes: parseSize(maxImageSize) ?? 0,
    uploadStallMs: uploadTimeout * 1_000,
    requestTimeoutMs: requestTimeout * 1_000,
  }
}

/** What is right one by one, and wrong together. */
function findConflicts(config: Config, nameOf: (name: SettingName) => string): string[] {
  const conflicts: string[] = []
  if (parseDestinations(config.eventDestinations) === undefined) {
    const { expected } = settings.eventDestinations
    conflicts.push(
      `${nameOf('eventDestinations')}: ${JSON.stringify(config.eventDestinations)} is wrong, expected ${expected}`,
    )
  }
  if (!config.http && !config.https)
    conflicts.push(`${nameOf('http')}, ${nameOf('https')}: at least one must be served`)
  if (config.http && !config.https && config.httpMode === 'redirect') {
    conflicts.push(`${nameOf('httpMode')}, ${nameOf('https')}: redirect needs HTTPS`)
  }
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
