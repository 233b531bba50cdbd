import { LOOPBACK } from './events/destinations.ts'
import { bmcSettings, choice, type Setting } from './fleet/bmc-settings.ts'
import { type FleetFile, MAX_BMCS } from './fleet/plan.ts'
import { reachKinds } from './http/reach.ts'
import { syncPolicies } from './journal/sync.ts'
import { type Static, Type } from './lib/schema.ts'
import { SIZE } from './lib/size.ts'
import { updateMethods } from './services/update-service/methods.ts'
import { MAX_TASKS } from './tasks/engine.ts'
import { ANYWHERE } from './transfer/addresses.ts'

const Port = Type.Integer({ minimum: 0, maximum: 65_535 })
const NonEmpty = Type.String({ minLength: 1 })
const METHOD = updateMethods.join('|')
const METHODS = new RegExp(`^((${METHOD})( *, *(${METHOD}))*)?$`)
const REACH = reachKinds.join('|')
const REACHES = new RegExp(`^(${REACH})( *, *(${REACH}))*$`)
const OCTET = '(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)'
const IPV4 = new RegExp(`^${OCTET}(\\.${OCTET}){3}$`)
const COUNT_OR_NONE = /^([1-9]\d{0,8})?$/
const PORT_OR_NONE = /^(|[1-5]?\d{1,4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5])$/
const MQTT = /^$|^([1-5]?\d{1,4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5])$|^mqtts?:\/\/[^/?#]+\/?$/

const port = 'a port number from 0 (any free one) to 65535'

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
  ...bmcSettings,
  console: {
    schema: Type.Boolean(),
    default: false,
    help: 'be a console over devices that clients attach, and no machine of its own',
    expected: 'true or false',
  },
  consoleRefresh: {
    schema: Type.Number({ exclusiveMinimum: 0 }),
    default: 60,
    placeholder: 'seconds',
    help: 'how often a console looks at its devices',
    expected: 'a number of seconds above 0',
  },
  consoleUrl: {
    schema: Type.String({ pattern: '^$|^https?://[^/?#]+/?$' }),
    default: '',
    placeholder: 'URL',
    help: 'where devices fetch images from the console; where it listens by default',
    expected: 'a URL of HTTP or HTTPS without a path, or nothing',
  },
  mqtt: {
    schema: Type.String({ pattern: MQTT.source }),
    default: '1883',
    placeholder: 'port|URL',
    help: 'where a console meets devices of MQTT: the port of a broker of its own, or the URL of another; nothing: nowhere',
    expected: 'a port number, or a URL of mqtt or mqtts, or nothing',
  },
  mqtts: {
    schema: Type.String({ pattern: PORT_OR_NONE.source }),
    default: '',
    placeholder: 'port',
    help: 'where a broker of its own speaks TLS, too, with the certificate of HTTPS (8883 is usual); nothing: nowhere',
    expected: 'a port number, or nothing',
  },
  mqttToken: {
    schema: Type.String(),
    default: '',
    placeholder: 'token',
    help: 'what devices say as their password to that broker; nobody is asked by default',
    expected: 'a token',
  },
  deviceCommand: {
    schema: Type.String(),
    default: '',
    placeholder: 'file',
    help: 'executable by which a console reaches devices (docs/devices.md)',
    expected: 'a file name',
  },
  flasher: {
    schema: Type.String(),
    default: '',
    placeholder: 'file',
    help: 'module by which a console reaches devices (docs/devices.md)',
    expected: 'a file name',
  },
  bmcs: {
    schema: Type.Integer({ minimum: 1, maximum: MAX_BMCS }),
    default: 1,
    placeholder: 'number',
    help: 'how many BMCs there are: more than one is a fleet, whose BMCs have an address each',
    expected: `a whole number from 1 to ${MAX_BMCS}`,
  },
  fleet: {
    // Judged when it is made: a file may have to be read for it.
    schema: Type.Unsafe<string | FleetFile>({ type: ['string', 'object'] }),
    default: '',
    placeholder: 'file',
    help: 'JSON file of a fleet: groups of BMCs that are alike',
    expected: 'a file name, or an object with groups',
  },
  seed: {
    schema: Type.String({ minLength: 1 }),
    default: 'redflash',
    placeholder: 'text',
    help: 'what UUIDs and serial numbers of a fleet are derived from, unless its file says it: of two fleets, each needs its own',
    expected: 'a text that is not empty',
  },
  reach: {
    schema: Type.String({ pattern: REACHES.source }),
    default: 'address',
    placeholder: 'list',
    help: 'how the BMCs of a fleet are told apart: by address, name, port or path, or by several of these',
    expected: `some of ${reachKinds.join(', ')}, separated by commas`,
  },
  firstAddress: {
    schema: Type.String({ pattern: IPV4.source }),
    default: '127.1.0.1',
    placeholder: 'address',
    help: 'address of the first BMC of a fleet; the next one has the next',
    expected: 'an IPv4 address',
  },
  controlPort: {
    schema: Type.Unsafe<string | number>({
      type: ['string', 'integer'],
      pattern: PORT_OR_NONE.source,
      minimum: 0,
      maximum: 65_535,
    }),
    default: '',
    placeholder: 'number',
    help: 'port at 127.0.0.1 that lists, adds, removes and resets BMCs; none by default',
    expected: `${port}, or nothing`,
  },
  data: {
    schema: Type.String(),
    default: '',
    placeholder: 'folder',
    help: 'where everything is kept beyond the end of the process; nothing is by default',
    expected: 'a folder',
  },
  dataSync: {
    ...choice(...syncPolicies),
    default: 'normal',
    placeholder: 'policy',
    help: 'what outlives the machine’s own crash, too: full: all; normal: all but the last moments; off: nothing is sure',
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
    schema: Type.Unsafe<string | number>({
      type: ['string', 'integer'],
      pattern: COUNT_OR_NONE.source,
      minimum: 1,
    }),
    default: '',
    placeholder: 'number',
    help: 'most connections to each port; more are closed at once (default: 4096, or two for each BMC where that is more)',
    expected: 'a whole number above 0, or nothing',
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
