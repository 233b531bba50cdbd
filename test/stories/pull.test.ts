import { mkdir, readFile, writeFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { AUDIT_LOG, LOG, uris } from '../../src/redfish/uris.ts'
import { certificateFor } from '../support/authority.ts'
import { isUpdated, NEW, NIC_1, nicImage, OLD } from '../support/device-stages.ts'
import { startEmulator, type TestEmulator } from '../support/emulator.ts'
import { recordingSink, subscribe } from '../support/events.ts'
import { basicUserOf, sendImage, serveHttp } from '../support/image-server.ts'
import { bundleOf } from '../support/images.ts'
import { recordingLogger } from '../support/logs.ts'
import { messageKeys, push } from '../support/multipart.ts'
import { beginPull, pull, untilConnected, untilFetched } from '../support/pulls.ts'
import { validateBody } from '../support/schemas.ts'
import { LONG_MS, messageArgs, outcome } from '../support/updates.ts'
import { walk } from '../support/walk.ts'
import { temporaryFolder } from '../support/wire.ts'

const biosImage = await bundleOf({ BIOS: '1.9.0' })
const half = nicImage.length / 2

/** Sends an image whole, with its length. */
function sendWhole(response: ServerResponse, image = nicImage): unknown {
  response.writeHead(200, { 'content-length': image.length })
  return sendImage(response, image)
}

/** Sends the first half of an image; the second when the promise is kept. */
async function sendHalves(response: ServerResponse, rest: Promise<void>): Promise<void> {
  response.writeHead(200, { 'content-length': nicImage.length })
  response.write(nicImage.subarray(0, half))
  await rest
  response.end(nicImage.subarray(half))
}

/** Whatever is to be fetched comes, and then the devices have their time. */
async function ended(emulator: TestEmulator, id = '1') {
  await untilFetched(emulator, id)
  await emulator.clock.advance(LONG_MS)
  return outcome(emulator, id)
}

async function expectHere(emulator: TestEmulator): Promise<void> {
  const { task, monitor } = await ended(emulator)
  expect(task).toMatchObject({ TaskState: 'Completed', TaskStatus: 'OK', PercentComplete: 100 })
  expect(monitor).toBe(200)
  expect(validateBody(task)).toEqual([])
  expect(await emulator.get(NIC_1)).toMatchObject({ Version: NEW, Status: { Health: 'OK' } })
  expect(emulator.spool.entries.size).toBe(0)
}

describe('an image is fetched', () => {
  test('by HTTP, from a server that asks who is there', async () => {
    const users: unknown[] = []
    const server = await serveHttp((request, response) => {
      users.push(basicUserOf(request))
      if (users.at(-1) === 'user:secret') return sendWhole(response)
      return response.writeHead(401, { 'www-authenticate': 'Basic realm="images"' }).end()
    })
    const emulator = await startEmulator()
    await beginPull(emulator, { ImageURI: server.uri.href, Username: 'user', Password: 'secret' })
    await expectHere(emulator)
    expect(users).toEqual([undefined, 'user:secret'])
    expect(server.connections()).toBe(0)
  })

  test('by HTTPS, from a server that the service was told to trust', async () => {
    const { certificate, privateKey, authority } = await certificateFor(['127.0.0.1'])
    const tls = { cert: certificate, key: privateKey }
    const server = await serveHttp((_request, response) => sendWhole(response), tls)
    const emulator = await startEmulator()
    const body = { CertificateString: authority.certificate, CertificateType: 'PEM' }
    await emulator.send(uris.remoteServerCertificates, { method: 'POST', body })
    const trust = { VerifyRemoteServerCertificate: true }
    await emulator.send(uris.updateService, { method: 'PATCH', body: trust })
    await beginPull(emulator, { ImageURI: `127.0.0.1:${server.port}/update.tar`, TransferProtocol: 'HTTPS' })
    await expectHere(emulator)
    expect(server.accepted()).toBe(1)
  })

  test.each(['nfs', 'cifs', 'smb', 'nsf', 'NFS'])(
    'by %s, from a folder that stands for it',
    async (scheme) => {
      const folder = await temporaryFolder()
      await mkdir(join(folder, 'nic'))
      await writeFile(join(folder, 'nic/update.tar'), nicImage)
      const shares = ['nfs', 'cifs'].map((one) => `${one}://files.example/export=${folder}`)
      const emulator = await startEmulator({ imageFolders: shares.join(',') })
      await beginPull(emulator, { ImageURI: `${scheme}://files.example/export/nic/update.tar` })
      await expectHere(emulator)
      expect(await readFile(join(folder, 'nic/update.tar'))).toEqual(nicImage)
    },
  )

  test('and shown from 0 to 20 percent while it comes', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const server = await serveHttp((_request, response) => sendHalves(response, promise))
    const emulator = await startEmulator()
    const percents: number[] = []
    emulator.bmc.listeners.add(({ tasks = [] }) => {
      for (const [, task] of tasks) percents.push(task?.percent ?? 0)
    })
    await beginPull(emulator, { ImageURI: server.uri.href })
    await expect.poll(() => percents.at(-1)).toBe(10)
    const task = await emulator.get(uris.task('1'))
    expect(task).toMatchObject({ TaskState: 'Running', PercentComplete: 10 })
    expect(messageKeys(task)).toEqual(['UpdateInProgress'])
    expect((await emulator.send(uris.taskMonitor('1'))).status).toBe(202)
    resolve()
    await expectHere(emulator)
    expect(percents).toEqual(percents.toSorted((a, b) => a - b))
    expect(percents).toContain(20)
  })

  test('by a service that is switched off meanwhile, which goes on with it', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const server = await serveHttp((_request, response) => sendHalves(response, promise))
    const emulator = await startEmulator()
    await beginPull(emulator, { ImageURI: server.uri.href })
    await untilConnected(server.connections)
    await emulator.send(uris.updateService, { method: 'PATCH', body: { ServiceEnabled: false } })
    resolve()
    await expectHere(emulator)
    expect(await emulator.get(uris.updateService)).toMatchObject({ ServiceEnabled: false })
  })
})

describe('while an image is fetched', () => {
  test.each([
    ['task', uris.task('1'), 'never begins'],
    ['monitor', uris.taskMonitor('1'), 'never begins'],
    ['task', uris.task('1'), 'stops half-way'],
    ['monitor', uris.taskMonitor('1'), 'stops half-way'],
  ])('its %s %s may be deleted: the server, which %s, is left alone', async (_what, uri, how) => {
    const never = Promise.withResolvers<void>().promise
    const server = await serveHttp((_request, response) =>
      how === 'never begins' ? undefined : sendHalves(response, never),
    )
    const emulator = await startEmulator()
    await beginPull(emulator, { ImageURI: server.uri.href })
    await untilConnected(server.connections)
    const percent = how === 'never begins' ? 0 : 10
    await expect.poll(() => emulator.bmc.state.tasks.get('1')?.percent).toBe(percent)
    const cancelled = await emulator.send(uri, { method: 'DELETE' })
    expect(cancelled).toMatchObject({ status: 202, json: { TaskState: 'Cancelling' } })
    await expect.poll(server.connections).toBe(0)
    await emulator.clock.advance(1)
    const task = await emulator.get(uris.task('1'))
    expect(task).toMatchObject({ TaskState: 'Cancelled', TaskStatus: 'Warning' })
    expect((await emulator.send(uris.taskMonitor('1'))).status).toBe(404)
    expect(emulator.spool.entries.size).toBe(0)
    expect(await emulator.get(NIC_1)).toMatchObject({ Version: OLD, Status: { State: 'Enabled' } })
    await isUpdated(emulator)
  })

  test('others are fetched, too', async () => {
    const waiting: (() => void)[] = []
    const server = await serveHttp(({ url = '' }: IncomingMessage, response) => {
      waiting.push(() => sendWhole(response, url === '/bios.tar' ? biosImage : nicImage))
      // Nobody is given anything before all are here.
      if (waiting.length === 2) for (const send of waiting) send()
    })
    const emulator = await startEmulator()
    await beginPull(emulator, { ImageURI: new URL('/nic.tar', server.origin).href })
    await beginPull(emulator, { ImageURI: new URL('/bios.tar', server.origin).href })
    await untilFetched(emulator, '1')
    const { task } = await ended(emulator, '2')
    expect(messageArgs(task, 'AwaitToActivate')).toEqual(['BIOS 1.9.0', uris.firmware('BIOS')])
    await expectHere(emulator)
  })

  test('somebody else may begin to update what it is for: that is told when it is here', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const server = await serveHttp((_request, response) => sendHalves(response, promise))
    const emulator = await startEmulator()
    await beginPull(emulator, { ImageURI: server.uri.href })
    await untilConnected(server.connections)
    expect((await push(emulator, nicImage)).status).toBe(202)
    await emulator.clock.advance(1)
    resolve()
    await untilFetched(emulator)
    const { task, keys, monitor } = await outcome(emulator, '1')
    expect({ keys, monitor }).toEqual({ keys: ['UpdateInProgress', 'ResourceInUse'], monitor: 503 })
    expect(task).toMatchObject({ TaskState: 'Exception', TaskStatus: 'Critical' })
    // The other's is there, and no more.
    expect(emulator.spool.entries.size).toBe(1)
    await emulator.clock.advance(LONG_MS)
    expect(await emulator.get(NIC_1)).toMatchObject({ Version: NEW })
  })

  test('the end of the service ends that', async () => {
    const server = await serveHttp(() => {})
    const emulator = await startEmulator()
    await beginPull(emulator, { ImageURI: server.uri.href })
    await untilConnected(server.connections)
    await emulator.app.fastify.close()
    await expect.poll(server.connections).toBe(0)
  })
})

test('what a server is told of the service, nobody else is told', async () => {
  const { lines, logger } = recordingLogger()
  const { sink, deliveries } = recordingSink()
  const emulator = await startEmulator({ logger, eventSink: sink })
  await subscribe(emulator)
  const server = await serveHttp((request, response) => {
    if (request.url?.startsWith('/update.tar') === true && basicUserOf(request)?.startsWith('planted-user:'))
      return sendWhole(response)
    return response.writeHead(401, { 'www-authenticate': 'Basic realm="images"' }).end()
  })
  const at = (path: string): string => `http://planted-user:planted-password@127.0.0.1:${server.port}${path}`
  const inUri = '?token=planted-token#planted-fragment'
  const apart = { Username: 'planted-user', Password: 'planted-password' }
  const answers: string[] = []
  for (const body of [
    { ImageURI: at(`/update.tar${inUri}`) },
    { ImageURI: at(`/none.tar${inUri}`) },
    { ImageURI: `${server.origin}/update.tar${inUri}`, ...apart },
    { ImageURI: `planted-user:planted-password@127.0.0.1:1/${inUri}`, ...apart },
    { ImageURI: at(`/update.tar${inUri}`), Targets: ['/redfish/v1/Nowhere'] },
    { ImageURI: at('/update.tar').replace('http:', 'gopher:') },
    { ImageURI: at('/update.tar').replace(`:${server.port}`, ':99999') },
    { ImageURI: [at(`/update.tar`)] },
    { ImageURI: server.uri.href, Username: 'planted-user', Password: ['planted-password'] },
  ]) {
    const { status, text, json } = await pull(emulator, body)
    answers.push(text)
    if (status !== 202) continue
    const id = json['Id'] as string
    await emulator.clock.advance(0)
    await ended(emulator, id)
    answers.push((await emulator.send(uris.taskMonitor(id))).text)
  }
  const states = [...emulator.bmc.state.tasks.values()].map(({ state }) => state)
  expect(states).toEqual(['Completed', 'Exception', 'Completed', 'Exception'])
  expect(answers).toHaveLength(4 * 2 + 5)
  const { visited } = await walk(emulator)
  for (const { body } of visited.values()) answers.push(JSON.stringify(body))
  for (const log of [LOG, AUDIT_LOG])
    answers.push((await emulator.send(uris.rawLog(uris.manager('1'), log))).text)
  const everything = [...lines, ...answers, ...deliveries.map(({ body }) => body)].join('\n')
  expect(everything).toContain(`${server.origin}/none.tar`)
  expect(deliveries.length).toBeGreaterThan(5)
  expect([...everything.matchAll(/.{80}planted.{40}/g)].map(([found]) => found)).toEqual([])
})
