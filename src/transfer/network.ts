import { lookup as lookupName } from 'node:dns/promises'
import { connect, isIP, type Socket } from 'node:net'
import { plainHost } from '../lib/address-list.ts'
import type { Clock } from '../lib/clock.ts'
import { fail, type Result, succeed } from '../lib/result.ts'
import type { AddressPolicy } from './addresses.ts'
import type { Addresses, DialTarget, FetchProblem, Network } from './fetcher.ts'

/** An address that has not answered by then does not; another may. */
const CONNECT_MS = 10_000

export interface NetworkOptions {
  readonly clock: Clock
  readonly policy: AddressPolicy
  /** All addresses of a name; the system's way unless given. */
  readonly lookup?: (name: string) => Promise<readonly string[]>
}

/** The network as image sources may be reached on it. */
export function createNetwork({ clock, policy, lookup = lookupAll }: NetworkOptions): Network {
  const addressesOf: Network['addressesOf'] = async (host, signal) => {
    const name = plainHost(host)
    const found = isIP(name) === 0 ? await until(signal, resolve(lookup, name)) : succeed([name])
    if (!found.ok) return found
    const [first, ...rest] = found.value.filter((address) => policy(address, name))
    if (first !== undefined) return succeed<Addresses>([first, ...rest])
    return fail({ kind: 'address-refused', address: found.value[0] ?? name })
  }
  return {
    addressesOf,
    dial: async ({ host, port, signal }) => {
      const addresses = await addressesOf(host, signal)
      if (!addresses.ok) return addresses
      const [first, ...others] = addresses.value
      let dialled = await dialAddress({ clock, host: first, port, signal })
      for (const address of others) {
        if (dialled.ok) break
        dialled = await dialAddress({ clock, host: address, port, signal })
      }
      return dialled
    },
  }
}

async function lookupAll(name: string): Promise<string[]> {
  const found = await lookupName(name, { all: true, order: 'ipv4first' })
  return found.map(({ address }) => address)
}

async function resolve(
  lookup: (name: string) => Promise<readonly string[]>,
  name: string,
): Promise<Result<readonly string[], FetchProblem>> {
  try {
    const found = await lookup(name)
    return found.length > 0 ? succeed(found) : fail({ kind: 'name-not-resolved', host: name })
  } catch (error) {
    // ENOTFOUND, EAI_AGAIN and what else resolvers say: whichever it is, there is no address.
    if (error instanceof Error && 'code' in error) return fail({ kind: 'name-not-resolved', host: name })
    throw error
  }
}

interface Dialled extends DialTarget {
  readonly clock: Clock
}

async function dialAddress({ clock, host, port, signal }: Dialled): Promise<Result<Socket, FetchProblem>> {
  signal.throwIfAborted()
  const socket = connect({ host, port, noDelay: true })
  const { promise, resolve: settle, reject } = Promise.withResolvers<Result<Socket, FetchProblem>>()
  const abort = (): void => reject(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  const cancel = clock.schedule(CONNECT_MS, () => settle(fail({ kind: 'timeout' })))
  // Stays: whoever takes the socket over is a moment late.
  socket.on('error', (error) => settle(fail(problemOf(error))))
  socket.once('connect', () => settle(succeed(socket)))
  let isOpen = false
  try {
    const dialled = await promise
    isOpen = dialled.ok
    return dialled
  } finally {
    cancel()
    signal.removeEventListener('abort', abort)
    if (!isOpen) socket.destroy()
  }
}

function problemOf({ code = '', message }: NodeJS.ErrnoException): FetchProblem {
  if (code === 'EMFILE' || code === 'ENFILE') return { kind: 'exhausted' }
  return { kind: 'no-connection', detail: message }
}

/** What has no signal of its own is left alone when the signal is aborted. */
function until<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const abort = (): void => reject(signal.reason)
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort, { once: true })
  return Promise.race([work, promise]).finally(() => signal.removeEventListener('abort', abort))
}
