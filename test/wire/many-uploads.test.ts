import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { createEmulator } from '../../src/index.ts'
import { basic } from '../support/emulator.ts'
import { bundleOf } from '../support/images.ts'
import { multipartBody, pushParts } from '../support/multipart.ts'

/** More than may send at the same time. */
const COUNT = 80
const image = await bundleOf({ 'NIC-1': '22.42.1' })
const { headers, body } = multipartBody(pushParts(image, {}))

/** Begins a push to the BMC at this address, whose body is of that many bytes so far. */
async function begin(url: string, sentBytes: number): Promise<Socket> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  onTestFinished(() => void socket.destroy())
  await once(socket, 'connect')
  const head = {
    Host: hostname,
    Authorization: basic('admin', 'redflash'),
    ...headers,
    'Content-Length': String(body.length),
  }
  const lines = Object.entries(head).map(([name, value]) => `${name}: ${value}`)
  socket.write(`POST /redfish/v1/UpdateService/update-multipart HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`)
  socket.write(body.subarray(0, sentBytes))
  return socket
}

test('many that send half an image and fall silent keep nobody from sending a whole one, and are taken when they go on', async () => {
  await using emulator = await createEmulator({ bmcs: COUNT + 1, https: false, speed: 'max' })
  const urls = emulator.bmcs.map((bmc) => emulator.urlsOf(bmc)[0]?.url ?? '')
  const half = Math.floor(body.length / 2)
  const silent = await Promise.all(urls.slice(1).map((url) => begin(url, half)))
  const whole = await begin(urls[0] ?? '', body.length)
  expect(String((await once(whole, 'data'))[0])).toMatch(/^HTTP\/1.1 202 /)
  const answers = silent.map(async (socket) => {
    socket.write(body.subarray(half))
    return String((await once(socket, 'data'))[0]).slice(0, 12)
  })
  expect(new Set(await Promise.all(answers))).toEqual(new Set(['HTTP/1.1 202']))
}, 60_000)

test('who leaves before it was their turn is missed by nobody', async () => {
  await using emulator = await createEmulator({ bmcs: COUNT + 1, https: false, speed: 'max' })
  const urls = emulator.bmcs.map((bmc) => emulator.urlsOf(bmc)[0]?.url ?? '')
  const all = await Promise.all(urls.map((url) => begin(url, 100)))
  for (const socket of all) socket.destroy()
  const again = await Promise.all(urls.map((url) => begin(url, body.length)))
  const answers = again.map(async (socket) => String((await once(socket, 'data'))[0]).slice(9, 12))
  // One whose upload is not over yet on its BMC is told to come again.
  expect((await Promise.all(answers)).filter((status) => status !== '202' && status !== '503')).toEqual([])
}, 60_000)
