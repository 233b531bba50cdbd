import { expect, test } from 'vitest'
import { buildBundle } from '../../src/image/build/bundle.ts'
import { buffer } from 'node:stream/consumers'
import { uris } from '../../src/redfish/uris.ts'
import { basic } from '../support/emulator.ts'
import { bundleOf } from '../support/images.ts'
import { multipartBody, pushParts } from '../support/multipart.ts'
import { lastTask, startWire, type Wire } from '../support/wire.ts'

/** What is counted under a name with these labels; 0 where there is nothing. */
async function counted({ url }: Wire, name: string, labels: Readonly<Record<string, string>> = {}) {
  const answer = await fetch(`${url}/metrics`, { headers: { authorization: basic('admin') } })
  expect(answer.status).toBe(200)
  expect(answer.headers.get('content-type')).toContain('text/plain')
  const lines = (await answer.text()).split('\n').filter((line) => line.startsWith(name))
  const found = lines.filter((line) =>
    Object.entries(labels).every(([key, value]) => line.includes(`${key}="${value}"`)),
  )
  return found.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0)
}

async function push({ url }: Wire, image: Buffer): Promise<void> {
  const { headers, body } = multipartBody(pushParts(image))
  const answer = await fetch(url + uris.multipartPush, {
    method: 'POST',
    headers: { ...headers, authorization: basic('admin') },
    body: new Uint8Array(body),
  })
  expect(answer.status).toBe(202)
}

test('requests, images, tasks and updates are counted where that was asked for', async () => {
  const wire = await startWire({ metrics: true })
  const get = { route: uris.updateService, method: 'GET', status: '200' }
  expect(await counted(wire, 'redflash_http_request_duration_seconds_count', get)).toBe(0)
  await wire.get(uris.updateService)
  await wire.get(uris.updateService)
  expect(await counted(wire, 'redflash_http_request_duration_seconds_count', get)).toBe(2)

  const image = await bundleOf({ 'NIC-1': '22.42.1000' })
  await push(wire, image)
  await lastTask(wire, wire.bmc)
  expect(await counted(wire, 'redflash_images_total')).toBe(1)
  expect(await counted(wire, 'redflash_spooled_bytes_total')).toBe(image.length)
  expect(await counted(wire, 'redflash_tasks', { state: 'Completed' })).toBe(1)
  expect(await counted(wire, 'redflash_updates_total', { state: 'Completed', status: 'OK' })).toBe(1)

  await push(wire, await buffer(buildBundle([{ name: 'X', softwareId: 'x', version: '1', sizeBytes: 9 }])))
  await lastTask(wire, wire.bmc)
  expect(await counted(wire, 'redflash_updates_total', { state: 'Exception', status: 'Critical' })).toBe(1)
  expect(await counted(wire, 'nodejs_eventloop_lag_p99_seconds')).toBeGreaterThan(0)
})

test('the counters are for who may log in, and nowhere unless asked for', async () => {
  const { url } = await startWire({ metrics: true })
  expect((await fetch(`${url}/metrics`)).status).toBe(401)
  const other = await startWire()
  const headers = { authorization: basic('admin') }
  expect((await fetch(`${other.url}/metrics`, { headers })).status).toBe(404)
})
