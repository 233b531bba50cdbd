import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { startEmulator, type TestEmulator, type TestOptions } from '../support/emulator.ts'
import { bundleOf } from '../support/images.ts'
import { messageKeys, multipartBody, push, pushParts, pushRaw } from '../support/multipart.ts'
import { validateBody, validateError } from '../support/schemas.ts'
import { LONG_MS, outcome } from '../support/updates.ts'

const OLD = '22.41.1000'
const NEW = '22.42.1'
const image = await bundleOf({ 'NIC-1': NEW })

const patch = ({ send }: TestEmulator, body: JsonObject) =>
  send(uris.updateService, { method: 'PATCH', body })
const versionOf = async ({ get }: TestEmulator, id: string) => (await get(uris.firmware(id)))['Version']

describe('HttpPushUri', () => {
  test.each([
    'application/octet-stream',
    'application/x-www-form-urlencoded',
    'application/json',
    'multipart/form-data; boundary=x',
    'multipart/form-data',
    'firmware',
    'text/plain; charset="',
    '',
    undefined,
  ])('takes an image of the type %j and installs it', async (type) => {
    const emulator = await startEmulator()
    const accepted = await pushRaw(emulator, image, {
      ...(type !== undefined && { headers: { 'content-type': type } }),
    })
    expect(accepted.status).toBe(202)
    expect(validateBody(accepted.json)).toEqual([])
    await emulator.clock.advance(LONG_MS)
    const { task } = await outcome(emulator, accepted.json['Id'] as string)
    expect(task).toMatchObject({ TaskState: 'Completed', TaskStatus: 'OK' })
    expect(await versionOf(emulator, 'NIC-1')).toBe(NEW)
    expect(emulator.spool.entries.size).toBe(0)
  })

  test('does not look for parts: framing is a part of the image, which then is none', async () => {
    const emulator = await startEmulator()
    const { body } = multipartBody(pushParts(image))
    for (const type of ['application/octet-stream', multipartBody([]).headers['content-type']]) {
      const accepted = await pushRaw(emulator, body, { headers: { 'content-type': type } })
      expect(accepted.status).toBe(202)
      await emulator.clock.advance(LONG_MS)
      const { task, keys } = await outcome(emulator, accepted.json['Id'] as string)
      expect(task).toMatchObject({ TaskState: 'Exception' })
      expect(keys).toContain('VerificationFailed')
    }
    expect(await versionOf(emulator, 'NIC-1')).toBe(OLD)
  })

  test('answers as a multipart push does, and tells of the request in the task', async () => {
    const emulator = await startEmulator()
    const { status, headers, json } = await pushRaw(emulator, image, {
      headers: {
        'content-type': 'application/octet-stream',
        'content-disposition': 'attachment; filename="nic-22.42.tar"',
      },
    })
    expect(status).toBe(202)
    expect(headers).toMatchObject({ location: uris.taskMonitor('1'), 'retry-after': '1' })
    expect(json).toMatchObject({
      Description: 'Updates firmware from nic-22.42.tar',
      Payload: {
        HttpOperation: 'POST',
        TargetUri: '/redfish/v1/UpdateService/update',
        HttpHeaders: expect.arrayContaining([
          'Content-Type: application/octet-stream',
          `Content-Length: ${image.length}`,
        ]),
      },
    })
  })

  test('knows no method but POST, which needs ConfigureComponents', async () => {
    const emulator = await startEmulator()
    const got = await emulator.send(uris.rawPush)
    expect([got.status, got.headers['allow']]).toEqual([405, 'POST'])
    expect((await pushRaw(emulator, image, { user: 'reader' })).status).toBe(403)
    expect((await pushRaw(emulator, image, { user: null })).status).toBe(401)
    expect(emulator.spool.entries.size).toBe(0)
  })

  test.each<[string, TestOptions, Buffer, [number, string]]>([
    ['an empty body', {}, Buffer.alloc(0), [400, 'UnrecognizedRequestBody']],
    ['a body too large', { maxImageBytes: image.length - 1 }, image, [413, 'PayloadTooLarge']],
    ['a body without room', { spoolBytes: image.length - 1 }, image, [507, 'InsufficientStorage']],
  ])('refuses %s and keeps nothing of it', async (_what, options, body, expected) => {
    const emulator = await startEmulator(options)
    const answer = await pushRaw(emulator, body)
    expect([answer.status, ...messageKeys(answer.json)]).toEqual(expected)
    expect(validateError(answer.json)).toEqual([])
    expect([emulator.spool.entries.size, emulator.bmc.state.tasks.size]).toEqual([0, 0])
  })

  test('takes an image of just the largest size', async () => {
    const emulator = await startEmulator({ maxImageBytes: image.length, spoolBytes: image.length })
    expect((await pushRaw(emulator, image)).status).toBe(202)
  })

  test('is closed while the service is switched off', async () => {
    const emulator = await startEmulator()
    await patch(emulator, { ServiceEnabled: false })
    const answer = await pushRaw(emulator, image)
    expect([answer.status, messageKeys(answer.json)]).toEqual([503, ['ServiceDisabled']])
  })

  test('keeps nothing of an image for a component that is being updated, and lets the client try again', async () => {
    const emulator = await startEmulator()
    await push(emulator, image)
    const held = emulator.spool.entries.size
    const answer = await pushRaw(emulator, image)
    expect([answer.status, messageKeys(answer.json)]).toEqual([
      503,
      ['ServiceTemporarilyUnavailable', 'ResourceInUse'],
    ])
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0)
    expect(emulator.spool.entries.size).toBe(held)
  })
})
