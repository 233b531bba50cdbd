import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { connect, createSecureContext, TLSSocket } from 'node:tls'
import { expect, onTestFinished, test } from 'vitest'
import { createBmc } from '../../src/bmc/bmc.ts'
import { loadMachine } from '../../src/bmc/mockup-folder.ts'
import { makeCertificate } from '../../src/http/certificate.ts'
import { Connections } from '../../src/http/connections.ts'
import { VirtualClock } from '../../src/lib/clock.ts'

/** The open connections of this process. */
const open = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap').length

test('a connection that is cut while it says goodbye over TLS is closed', async () => {
  const bmc = createBmc('1', loadMachine('rackmount'), new Map())
  const secureContext = createSecureContext(await makeCertificate(['localhost'], new VirtualClock()))
  const connections = new Connections()
  const server = createServer((carrier) => {
    connections.add(carrier, bmc)
    const secured = new TLSSocket(carrier, { isServer: true, secureContext })
    connections.secure(secured, carrier)
    secured.once('secure', () => {
      secured.end()
      // It begins in the next tick; in the one after that it is not over yet.
      process.nextTick(() => process.nextTick(() => connections.cut(bmc)))
    })
  }).listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  const before = open()
  const { port } = server.address() as AddressInfo
  const client = connect({ host: '127.0.0.1', port, rejectUnauthorized: false })
  client.on('error', () => {}) // reset, or not
  await once(client, 'close')
  await expect.poll(open).toBe(before)
})
