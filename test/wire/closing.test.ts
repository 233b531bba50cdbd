import { readdir } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { uris } from '../../src/redfish/uris.ts'
import { basic } from '../support/emulator.ts'
import { bundleOf } from '../support/images.ts'
import { multipartBody, pushParts } from '../support/multipart.ts'
import { head, rawClient, refused, startWire } from '../support/wire.ts'

describe('closing the emulator', () => {
  test('lets a running upload come to its end', async () => {
    const { emulator, port, spooled, bmc } = await startWire()
    const { headers, body } = multipartBody(pushParts(await bundleOf({ 'NIC-1': '22.42.1000' })))
    const client = rawClient(port).send(
      head('POST', uris.multipartPush, { ...headers, 'Content-Length': body.length }),
      body.subarray(0, -1),
    )
    await expect.poll(spooled).toHaveLength(1)
    const closed = emulator.close()
    await expect.poll(() => refused(port)).toBe(true)
    expect((await client.send(body.subarray(-1)).answer()).status).toBe(202)
    await closed
    expect(bmc.state.tasks.size).toBe(1)
    expect(await spooled()).toEqual([])
  })

  test('cuts an upload that does not end, and removes its own spool folder', async () => {
    const { emulator, port, spooled, spoolFolder } = await startWire()
    const { headers, body } = multipartBody(pushParts(await bundleOf({ 'NIC-1': '22.42.1000' })))
    const client = rawClient(port).send(
      head('POST', uris.multipartPush, { ...headers, 'Content-Length': body.length }),
      body.subarray(0, -1),
    )
    await expect.poll(spooled).toHaveLength(1)
    await emulator.close()
    expect(await client.ended()).toBe('')
    // The folder that was named stays, with nothing in it.
    expect(await readdir(spoolFolder)).toEqual([])
  })

  test('does not wait for idle connections, and may be asked for twice', async () => {
    const { emulator, port } = await startWire({ https: true })
    const idle = rawClient(port).send(head('GET', uris.root))
    await idle.answer()
    await Promise.all([emulator.close(), emulator.close()])
    expect(await idle.ended()).toBe('')
    await emulator.close()
  })

  test('stops an update that is under way and empties the spool', async () => {
    const { emulator, url, spooled, spoolFolder } = await startWire({ speed: 1 })
    const { headers, body } = multipartBody(pushParts(await bundleOf({ 'NIC-1': '22.42.1000' })))
    const answer = await fetch(url + uris.multipartPush, {
      method: 'POST',
      headers: { ...headers, authorization: basic('admin') },
      body: Uint8Array.from(body),
    })
    expect(answer.status).toBe(202)
    expect(await spooled()).toHaveLength(1)
    await emulator.close()
    expect(await readdir(spoolFolder)).toEqual([])
  })
})
