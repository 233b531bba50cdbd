import { LOOPBACK } from './events/destinations.ts'
import type { DevicePlans } from './faults/plan.ts'
import { type Static, type TSchema, Type } from './lib/schema.ts'
import { SIZE } from './lib/size.ts'
import { updateMethods } from './services/update-service/methods.ts'
import { MAX_TASKS } from './tasks/engine.ts'
import { ANYWHERE } from './transfer/addresses.ts'

export const DEFAULT_PASSWORD = 'redflash'
const Port = Type.Integer({ minimum: 0, maximum: 65_535 })
const NonEmpty = Type.String({ minLength: 1 })
const SPEED = /^(max|\d*[1-9]\d*(\.\d+)?|0?\.\d*[1-9]\d*)$/
const METHOD = updateMethods.join('|')
const METHODS = new RegExp(`^((${METHOD})( *, *(${METHOD}))*)?$`)

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
  profile: {
    schema: Type.String(),
    default: '',
    placeholder: 'name',
    help: 'rules of a real update service for the machine: lenovo-xcc3',
    expected: 'lenovo-xcc3, or nothing',
  },
  awaitReset: {
    ...choice('machine', 'job', 'completed', 'pending'),
    default: 'machine',
    placeholder: 'shape',
    help: 'how an update that waits for a reset is shown: a job, a task that has completed, a task that is pending',
  },
  startUpdate: {
    ...choice('machine', 'own-task', 'waiting-tasks'),
    default: 'machine',
    placeholder: 'shape',
    help: 'what StartUpdate starts: a task of its own, or the tasks that wait',
  },
  devices: {
    // Judged with the machine at hand: it says which devices there are.
    schema: Type.Unsafe<string | DevicePlans>({ type: ['string', 'object'] }),
    default: '',
    placeholder: 'file',
    help: 'JSON file of what is to go wrong with devices',
    expected: 'a file name, or an object with components',
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
  spoolSize: {
    schema: Type.String({ pattern: `^$|${SIZE.source}` }),
    default: '',
    placeholder: 'size',
    help: 'room for all images that wait or are kept; as much as the disk has by default',
    expected: 'a number of bytes, or one with KiB, MiB or GiB, or nothing',
  },
  maxImageSize: {
    schema: Type.String({ pattern: SIZE.source }),
    default: '2047MiB',
    placeholder: 'size',
    help: 'largest image accepted',
    expected: 'a number of bytes, or one with KiB, MiB or GiB',
  },
  imageStoreSize: {
    schema: Type.String({ pattern: SIZE.source }),
    default: '8GiB',
    placeholder: 'size',
    help: 'room for images that are kept (LocalImageStore)',
    expected: 'a number of bytes, or one with KiB, MiB or GiB',
  },
  updateMethods: {
    schema: Type.String({ pattern: METHODS.source }),
    default: updateMethods.join(','),
    placeholder: 'list',
    help: 'ways to give the service an image: multipart and raw push, and simple, which fetches it',
    expected: `some of ${updateMethods.join(', ')}, separated by commas, or nothing`,
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
  maxTasks: {
    schema: Type.Integer({ minimum: 1 }),
    default: MAX_TASKS,
    placeholder: 'number',
    help: 'most tasks that are kept',
    expected: 'a whole number above 0',
  },
  taskOverWritePolicy: {
    ...choice('Oldest', 'Manual'),
    default: 'Oldest',
    placeholder: 'policy',
    help: 'what a full table does with new work: its oldest finished task gives way, or work is refused',
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
  imageSources: {
    schema: Type.String(),
    default: ANYWHERE,
    placeholder: 'list',
    help: 'where images may be fetched from, likewise; link-local and metadata addresses only where listed themselves',
    expected: 'addresses, CIDR ranges and host names, separated by commas',
  },
  imageFolders: {
    schema: Type.String(),
    default: '',
    placeholder: 'list',
    help: 'folders that stand for shares: nfs://server/export=/srv/images,cifs://server/share=/srv/share',
    expected: 'shares (nfs, cifs, smb) and their folders, separated by commas',
  },
  trust: {
    schema: Type.String(),
    default: '',
    placeholder: 'folder',
    help: 'whose signed images are trusted: certificates, their revocation lists, public keys, revoked digests',
    expected: 'a folder',
  },
  unsignedImages: {
    ...choice('machine', 'refuse', 'warn', 'accept'),
    default: 'machine',
    placeholder: 'policy',
    help: 'what becomes of an image that nobody signed',
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

/** The default of a setting as it is documented. */
export function defaultOf(name: SettingName): string {
  return String(settings[name].default)
}
