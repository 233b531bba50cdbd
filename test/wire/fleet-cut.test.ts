import { once } from 'node:events'
import { connect } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { createEmulator } from '../../src/index.ts'
import { uris } from '../../src/redfish/uris.ts'
import { RawClient, filesBelow, head, temporaryFolder } from '../support/wire.ts'

/** Fewer than images may come at once. */
const BMCS = 12

/** The open connections of this process. */
const connections = (): number =>
  process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap').length

async function clientOf(url: string): Promise<RawClient> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  await once(socket, 'connect')
  return new RawClient(socket)
}

test('clients that leave in the moment in which their BMCs go leave no connection and no image', async () => {
  const spool = await temporaryFolder()
  const fleet = await createEmulator({ bmcs: BMCS, https: false, controlPort: 0, spool })
  onTestFinished(() => fleet.close())
  const before = connections()
  const uploads = await Promise.all(
    fleet.bmcs.map(async (bmc) => {
      const client = await clientOf(fleet.urlsOf(bmc)[0]?.url ?? '')
      await client.send(head('POST', uris.rawPush, { 'Content-Length': 2 ** 20 }), 'half of it').flushed()
      return { client, control: await clientOf(fleet.controlUrl ?? ''), id: bmc.id }
    }),
  )
  await expect.poll(() => filesBelow(spool)).toHaveLength(BMCS)
  // Both are there when the service looks, in either order.
  for (const [index, { client, control, id }] of uploads.entries()) {
    if (index % 2 === 0) client.socket.destroy()
    control.send(`DELETE /bmcs/${id} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
    if (index % 2 === 1) client.socket.destroy()
  }
  for (const { control } of uploads) {
    expect((await control.answer()).status).toBe(204)
    control.socket.destroy()
  }
  await expect.poll(connections).toBe(before)
  await expect.poll(() => filesBelow(spool)).toEqual([])
})
