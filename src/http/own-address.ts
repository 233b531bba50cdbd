import { createSocket, type SocketType } from 'node:dgram'
import { once } from 'node:events'
import { isIPv6 } from 'node:net'

/** Where datagrams go that are never sent. */
const DISCARD_PORT = 9
const EVERYWHERE: readonly string[] = ['0.0.0.0', '::']

/** The address of who listens at `host`, for a `peer`, or one that is known to reach us `here`: everywhere is no address. */
export async function addressFor(
  host: string,
  { peer = host, here }: { readonly peer?: string | undefined; readonly here?: string | undefined },
): Promise<string> {
  if (!EVERYWHERE.includes(host)) return host
  // Where no way leads to whoever is to come, it does not matter.
  return here ?? ownAddressTowards(peer).catch(() => host)
}

/** Which of our addresses a peer sees: that of the interface by which it is reached. Rejects where no way leads there. */
export async function ownAddressTowards(peer: string, port = DISCARD_PORT): Promise<string> {
  if (isIPv6(peer)) return addressBy('udp6', peer, port)
  try {
    return await addressBy('udp4', peer, port)
  } catch {
    // A name may be of the other family only.
    return addressBy('udp6', peer, port)
  }
}

async function addressBy(type: SocketType, peer: string, port: number): Promise<string> {
  const socket = createSocket(type)
  try {
    const connected = once(socket, 'connect')
    socket.connect(port, peer)
    await connected
    return socket.address().address
  } finally {
    socket.close()
  }
}
