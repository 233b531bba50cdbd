import type { Socket } from 'node:net'
import { type buildConnector, errors } from 'undici'
import { plainHost } from '../lib/address-list.ts'
import { FetchError, type FetchProblem, type FetchRequest, type Network } from './fetcher.ts'
import { isRefusal, secure, tlsOptions, tlsProblem } from './tls.ts'

/** The connections of one download. */
export interface Connections {
  readonly connect: buildConnector.connector
  /** Whether bytes came with the end of the newest answer that were not announced. */
  readonly heldExcess: () => boolean
  /** What a server said of our certificate after the handshake (TLS 1.3): undici tells only that it hung up. */
  readonly refusal: () => FetchProblem | undefined
}

/** How undici connects: to addresses that were judged, and over TLS to servers that were found right. */
export function createConnections(
  network: Network,
  { identity, signal }: Pick<FetchRequest, 'identity' | 'signal'>,
): Connections {
  let newest: Socket | undefined
  let refusal: FetchProblem | undefined
  const open = async (target: buildConnector.Options): Promise<Socket> => {
    const isSecure = target.protocol === 'https:'
    const port = Number(target.port) || (isSecure ? 443 : 80)
    const dialled = await network.dial({ host: target.hostname, port, signal })
    if (!dialled.ok) throw new FetchError(dialled.problem)
    if (!isSecure) return dialled.value
    const options = { ...tlsOptions(identity, plainHost(target.hostname)), ALPNProtocols: ['http/1.1'] }
    const secured = await secure(dialled.value, options, signal)
    secured.on('error', (error) => {
      if (isRefusal(error)) refusal = tlsProblem(error)
    })
    return secured
  }
  return {
    connect: (target, callback) => {
      open(target).then(
        (socket) => callback(null, (newest = socket)),
        (error: Error) => callback(error, null),
      )
    },
    heldExcess: () => {
      const { errored, readableEnded = false } = newest ?? {}
      if (errored instanceof errors.HTTPParserError) return true
      // undici calls it so, too, when a server closes in good order.
      return errored instanceof errors.SocketError && !readableEnded
    },
    refusal: () => refusal,
  }
}
