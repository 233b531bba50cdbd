import type { Clock } from '../lib/clock.ts'
import type { JsonObject } from '../redfish/resource.ts'
import type { ReadMessage } from './message-reading.ts'
import type { ClientAnswer, RedfishClient } from './redfish-client.ts'

const POLL_S = 1
/** Whatever has not come after so long does not come any more. */
export const PATIENCE_MS = 30 * 60_000
/** What a connection meets that nobody takes: the request has not arrived. */
const refusals = new Set(['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'UND_ERR_CONNECT_TIMEOUT'])
/** A connection that was lost: whether the request has arrived nobody knows. */
const losses = new Set(['ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'UND_ERR_SOCKET'])

/** Told of everything worth showing while an update goes its way. */
export interface PushWatcher {
  readonly sent: (bytes: number, total: number) => void
  readonly progressed: (state: string, percent: number | undefined) => void
  readonly said: (message: ReadMessage) => void
  readonly waiting: (text: string) => void
}

/** A service that is away does not come back. */
export class AwayError extends Error {
  constructor() {
    super('the service does not come back')
  }
}

/** Who goes to which service, and who is told of it. */
export interface Errand {
  readonly client: RedfishClient
  readonly watcher: PushWatcher
  readonly clock: Pick<Clock, 'now' | 'sleep'>
  /** How long a service may be away; PATIENCE_MS unless given. */
  readonly awayMs?: number
}

/** Waits as long as the service asks for. */
export function pause({ clock }: Errand, after?: ClientAnswer): Promise<void> {
  return clock.sleep((after?.retryAfterS ?? POLL_S) * 1_000)
}

/** GETs from a service that may be away for a while: updates reset its manager. */
export function patientGet(errand: Errand, path: string): Promise<ClientAnswer> {
  return patiently(errand, async () => {
    const answer = await attempt(() => errand.client.get(path))
    return answer === 'lost' ? 'refused' : answer
  })
}

/** POSTs once, likewise; `lost` where nobody knows whether it arrived. */
export function patientPost(errand: Errand, path: string, body: JsonObject): Promise<ClientAnswer | 'lost'> {
  return patiently(errand, () => attempt(() => errand.client.post(path, body)))
}

/** Asks until the service answers: one that boots refuses connections, or answers 503. */
async function patiently<A extends ClientAnswer | 'lost'>(
  errand: Errand,
  ask: () => Promise<A | 'refused'>,
): Promise<A> {
  const since = errand.clock.now()
  for (let isTold = false; ; isTold = true) {
    const answer = await ask()
    const isAway = answer === 'refused' || (answer !== 'lost' && answer.status === 503)
    if (!isAway) return answer
    if (errand.clock.now() - since >= (errand.awayMs ?? PATIENCE_MS)) throw new AwayError()
    if (!isTold) errand.watcher.waiting('the service is away')
    await pause(errand, answer === 'refused' ? undefined : answer)
  }
}

async function attempt(ask: () => Promise<ClientAnswer>): Promise<ClientAnswer | 'refused' | 'lost'> {
  try {
    return await ask()
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    if (refusals.has(code)) return 'refused'
    if (losses.has(code)) return 'lost'
    throw error
  }
}
