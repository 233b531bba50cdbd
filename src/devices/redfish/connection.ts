import type { Errand, PushWatcher } from '../../client/errand.ts'
import { type ClientAnswer, RedfishClient } from '../../client/redfish-client.ts'
import type { Clock } from '../../lib/clock.ts'
import { isObject, type JsonObject, linkUris } from '../../redfish/resource.ts'
import { referencePath, uris } from '../../redfish/uris.ts'
import type { DeviceAddress, DeviceProblem } from '../device.ts'
import type { FirmwareImage } from '../flasher.ts'
import { DeviceError } from '../device-error.ts'
import { answerProblem, problemOf } from './problems.ts'

/** How long is waited for what, in milliseconds. */
export interface Patience {
  /** For an answer. */
  readonly answerMs: number
  /** For a device that is away when an update begins, or too busy to begin with it. */
  readonly beginMs: number
  /** For one that is away in the middle of an update: it resets itself. */
  readonly awayMs: number
  /** For an update of which nothing new is told. */
  readonly stillMs: number
  /** For the version to be the new one, once everything is said to be done. */
  readonly versionMs: number
}

/** An image that devices can fetch. */
export interface Published {
  readonly uri: string
  /** It is not needed any more. */
  readonly done: () => void
}

export interface RedfishOptions {
  readonly clock: Clock
  /**
   * Who must have signed a device's certificate, or the certificates themselves (PEM): whoever shows another is
   * `untrusted`. Unless given, any certificate is accepted, because most BMCs have made their own.
   */
  readonly trustedCertificates?: readonly string[]
  readonly patience?: Partial<Patience>
  /** Lets a device fetch an image that takes none by push. */
  readonly publish?: (
    image: FirmwareImage & { readonly fileName: string },
    device: DeviceAddress,
  ) => Promise<Published>
  /** Told of bugs in what nobody waits for. */
  readonly failed?: (error: unknown) => void
}

const MINUTE_MS = 60_000
const ordinary: Patience = {
  answerMs: MINUTE_MS,
  beginMs: 5 * MINUTE_MS,
  awayMs: 30 * MINUTE_MS,
  stillMs: 120 * MINUTE_MS,
  versionMs: 10 * MINUTE_MS,
}
/** Between two attempts to reach a device that is away. */
const RETRY_MS = 2_000
const nobody: PushWatcher = { sent: () => {}, progressed: () => {}, said: () => {}, waiting: () => {} }

/** A device that answers, and by which way. */
export interface Connection {
  readonly client: RedfishClient
  /** The service root. */
  readonly root: JsonObject
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly patience: Patience
  /** For what waits while the device is away. */
  readonly errand: Errand
}

export function patienceOf({ patience }: RedfishOptions): Patience {
  return { ...ordinary, ...patience }
}

/** Does something with a device, and leaves nothing open on it. A device that is away is waited for as long as `awayMs` says. */
export async function withDevice<T>(
  options: RedfishOptions,
  { device, signal, awayMs = 0 }: Reaching,
  work: (connection: Connection) => Promise<T>,
): Promise<T> {
  const { clock } = options
  const opened = await openPatiently(options, { device, signal, awayMs })
  const patience = patienceOf(options)
  const errandClock = { now: () => clock.now(), sleep: (ms: number) => clock.sleep(ms, signal) }
  const errand = {
    client: opened.client,
    watcher: nobody,
    clock: errandClock,
    awayMs: patience.awayMs,
  }
  try {
    return await work({ ...opened, clock, signal, patience, errand })
  } finally {
    await opened.client.close()
  }
}

interface Reaching {
  readonly device: DeviceAddress
  readonly signal: AbortSignal
  readonly awayMs?: number
}
type Opened = Pick<Connection, 'client' | 'root'>

async function openPatiently(
  options: RedfishOptions,
  { device, signal, awayMs }: Required<Reaching>,
): Promise<Opened> {
  const { clock } = options
  for (const since = clock.now(); ;) {
    try {
      return await open(options, { device, signal, origin: originOf(device.hostName) })
    } catch (error) {
      signal.throwIfAborted()
      const kind = problemOf(error)?.kind
      const isAway = kind === 'unreachable' || kind === 'busy'
      if (!isAway || clock.now() - since >= awayMs) throw error
    }
    await clock.sleep(RETRY_MS, signal)
  }
}

interface Opening extends Reaching {
  readonly origin: string
}

async function open(options: RedfishOptions, { device, signal, origin }: Opening): Promise<Opened> {
  const { clock, trustedCertificates } = options
  const client = new RedfishClient(origin, {
    user: device.userName,
    password: device.password,
    insecure: trustedCertificates === undefined,
    ...(trustedCertificates && { authorities: trustedCertificates }),
    signal,
    patience: { clock, answerMs: patienceOf(options).answerMs },
  })
  let isOpen = false
  try {
    const answer = await client.getOpen(`${uris.root}/`)
    const secure = secureOrigin(origin, answer.status, answer.location)
    if (secure !== undefined) return await open(options, { device, signal, origin: secure })
    // Some let nobody read even that, and cut the name off it in a 401.
    const root = answer.status === 401 ? await client.get(`${uris.root}/`) : answer
    const problem = rootProblem(root)
    if (problem !== undefined) throw new DeviceError(problem)
    await logIn(client, root.body)
    isOpen = true
    return { client, root: root.body }
  } finally {
    if (!isOpen) await client.close()
  }
}

/** What is wrong with an answer that is to be the service root; whoever has none is no Redfish service. */
function rootProblem(answer: ClientAnswer): DeviceProblem | undefined {
  const { status, body } = answer
  const type = textIn(body, '@odata.type') ?? ''
  const isRoot = type.startsWith('#ServiceRoot.') || textIn(body, 'RedfishVersion') !== undefined
  if (status === 200 && isRoot) return undefined
  const problem = answerProblem('the service root', answer)
  if (problem.kind !== 'failed') return problem
  const what = status === 200 ? `nothing of that at ${uris.root}/` : problem.detail
  return { kind: 'unsupported', detail: `it is no Redfish service: ${what}` }
}

/** A session where they are offered; whoever refuses one for another reason than the password gets the password each time. */
async function logIn(client: RedfishClient, root: JsonObject): Promise<void> {
  const sessions = linkIn(root['Links'], 'Sessions')
  if (sessions === undefined) return
  const refused = await client.logIn(sessions)
  if (refused?.status === 401) throw new DeviceError(answerProblem('the login', refused))
}

/** Where a service sends clients of its HTTP port, if that is its own HTTPS port. */
function secureOrigin(origin: string, status: number, location = ''): string | undefined {
  if (status < 300 || status >= 400 || !URL.canParse(location, origin)) return undefined
  const [from, to] = [new URL(origin), new URL(location, origin)]
  return from.protocol === 'http:' && to.protocol === 'https:' && to.hostname === from.hostname
    ? to.origin
    : undefined
}

/** A host without a scheme is asked by HTTPS, and never by HTTP: whoever is between us could wish for that, too. */
export function originOf(hostName: string): string {
  const isBareV6 = /^[\da-f:.]*:[\da-f:.]*:[\da-f:.]*$/i.test(hostName)
  const text = /^https?:\/\//i.test(hostName) ? hostName : `https://${isBareV6 ? `[${hostName}]` : hostName}`
  if (!URL.canParse(text)) throw new DeviceError({ kind: 'unreachable', detail: 'its address is none' })
  return new URL(text).origin
}

/** The URI that a member links to. */
export function linkIn(value: unknown, name: string): string | undefined {
  const link = isObject(value) ? value[name] : undefined
  const uri = isObject(link) ? link['@odata.id'] : undefined
  return typeof uri === 'string' ? uri : undefined
}

/** The path of a resource. */
export function pathOf(resource: JsonObject): string {
  return referencePath(linkUris([resource])[0] ?? '')
}

/** A string that says something. */
export function textIn(value: JsonObject | undefined, name: string): string | undefined {
  const text = value?.[name]
  return typeof text === 'string' && text.trim() !== '' ? text.trim() : undefined
}
