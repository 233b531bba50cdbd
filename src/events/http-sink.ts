import type { Agent } from 'undici'
import type { Clock } from '../lib/clock.ts'
import type { EventSink } from './event-sink.ts'

/** A receiver that has not answered by then has not taken the event. */
const TIMEOUT_MS = 10_000
/** An answer's body is of no interest; one that goes on is cut. */
const MAX_ANSWER_BYTES = 65_536

/** Delivers events by POST; undici is loaded when the first one leaves. */
export function createHttpSink(clock: Clock): EventSink {
  const agents = new Map<boolean, Agent>()
  const agentFor = async (verifyCertificate: boolean): Promise<Agent> => {
    const { Agent } = await import('undici')
    const agent =
      agents.get(verifyCertificate) ??
      // The clock ends what takes too long, whatever it waits for.
      new Agent({
        connect: { rejectUnauthorized: verifyCertificate, timeout: 0 },
        headersTimeout: 0,
        bodyTimeout: 0,
      })
    agents.set(verifyCertificate, agent)
    return agent
  }
  return {
    deliver: async ({ destination, headers, body, verifyCertificate, signal }) => {
      const late = new AbortController()
      const cancel = clock.schedule(TIMEOUT_MS, () => late.abort(new Error('no answer in time')))
      try {
        const dispatcher = await agentFor(verifyCertificate)
        const answer = await dispatcher.request({
          ...originAndPath(destination),
          method: 'POST',
          headers: { ...headers, 'content-type': 'application/json; charset=utf-8' },
          body,
          signal: AbortSignal.any([signal, late.signal]),
        })
        await answer.body.dump({ limit: MAX_ANSWER_BYTES, signal: AbortSignal.any([signal, late.signal]) })
        return answer.statusCode >= 200 && answer.statusCode < 300
      } catch {
        // Refused, reset, not trusted, late: the receiver has not taken it, and why makes no difference.
        signal.throwIfAborted()
        return false
      } finally {
        cancel()
      }
    },
    close: async () => {
      await Promise.all([...agents.values()].map((agent) => agent.destroy()))
    },
  }
}

function originAndPath(destination: string): { readonly origin: string; readonly path: string } {
  const { origin, pathname, search } = new URL(destination)
  return { origin, path: `${pathname}${search}` }
}
