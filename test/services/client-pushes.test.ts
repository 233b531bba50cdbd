import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import {
  clientPushes,
  expectSuccess,
  expectTask,
  NEW,
  NIC_1,
  nicImage,
  OLD,
  writePush,
} from '../support/client-shapes.ts'
import { startEmulator, type TestEmulator, type TestRequest } from '../support/emulator.ts'
import { LONG_MS, reset } from '../support/updates.ts'

const action = (name: string) => uris.action(uris.updateService, `UpdateService.${name}`)
const versionOf = async ({ get }: TestEmulator) => (await get(NIC_1))['Version']
const JSON_TYPE = { 'content-type': 'application/json' }

/** bmclib sends no body at all, and calls it JSON. */
const startUpdate: TestRequest = { method: 'POST', headers: JSON_TYPE }

describe('a push as it is written by', () => {
  test.each(clientPushes)('$client', async (written) => {
    const emulator = await startEmulator()
    const { send, clock } = emulator
    const request = writePush(written, nicImage)
    const accepted = await send(uris.multipartPush, { method: 'POST', ...request })
    await expectTask(emulator, accepted)
    await clock.advance(LONG_MS)
    const { awaits = 'nothing' } = written
    expect(await versionOf(emulator)).toBe(awaits === 'nothing' ? NEW : OLD)
    if (awaits === 'a reset') await reset(emulator, uris.system('1'), 'GracefulRestart')
    if (awaits === 'StartUpdate') {
      const started = await send(action('StartUpdate'), startUpdate)
      await expectTask(emulator, started)
      await clock.advance(LONG_MS)
      await expectSuccess(emulator, started)
    }
    await clock.advance(LONG_MS)
    expect(await versionOf(emulator)).toBe(NEW)
    await expectSuccess(emulator, accepted)
  })
})

describe('an image in the body, as it is sent by', () => {
  const boundary = '3c1f0b7a9e8d4c5f8a6b7c8d9e0f1a2b'
  test.each<[string, Readonly<Record<string, string>>]>([
    ['bmclib', { 'content-type': 'application/octet-stream' }],
    ['nv-redfish', { 'content-type': 'application/octet-stream' }],
    ['fwupd', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['gofish, with an ETag', { 'content-type': 'application/octet-stream', 'if-match': '"stale"' }],
  ])('%s', async (_client, headers) => {
    const emulator = await startEmulator()
    const accepted = await emulator.send(uris.rawPush, { method: 'POST', headers, body: nicImage })
    await expectTask(emulator, accepted)
    await emulator.clock.advance(LONG_MS)
    await expectSuccess(emulator, accepted)
    expect(await versionOf(emulator)).toBe(NEW)
  })

  test.each<[string, string, Readonly<Record<string, string>>]>([
    ['Lenovo’s script', 'data-binary', { 'content-type': 'application/octet-stream' }],
    [
      'Dell’s script',
      'file',
      { 'content-type': `multipart/form-data; boundary=${boundary}`, 'if-match': '"stale"' },
    ],
  ])(
    '%s, framed as a part that it says it is not: taken, and found to be no image',
    async (_client, name, headers) => {
      const emulator = await startEmulator()
      const body = Buffer.concat([
        Buffer.from(
          `--${boundary}\r\nContent-Disposition: form-data; name="${name}"; filename="update.tar"\r\n\r\n`,
        ),
        nicImage,
        Buffer.from(`\r\n--${boundary}--\r\n`),
      ])
      const accepted = await emulator.send(uris.rawPush, { method: 'POST', headers, body })
      await expectTask(emulator, accepted)
      await emulator.clock.advance(LONG_MS)
      expect(await emulator.get(accepted.json['@odata.id'] as string)).toMatchObject({
        TaskState: 'Exception',
      })
      expect(await versionOf(emulator)).toBe(OLD)
    },
  )
})

describe('the update service is reserved, used and released by', () => {
  test.each<[string, string, string]>([
    [
      'bmclib for Lenovo',
      `{"HttpPushUriTargets":["${NIC_1}"],"HttpPushUriTargetsBusy":true}`,
      '{"HttpPushUriTargets":[],"HttpPushUriTargetsBusy":false}',
    ],
    [
      'fwupd',
      `{\n  "HttpPushUriTargetsBusy" : true,\n  "HttpPushUriTargets" : [\n    "${NIC_1}"\n  ]\n}`,
      '{\n  "HttpPushUriTargetsBusy" : false,\n  "HttpPushUriTargets" : []\n}',
    ],
    ['Lenovo’s script', `{"HttpPushUriTargets": ["${NIC_1}"]}`, '{"HttpPushUriTargets": []}'],
  ])('%s', async (_client, claim, release) => {
    const emulator = await startEmulator()
    const { send, get, clock } = emulator
    /** With the ETag that the body has, as fwupd and nv-redfish send it. */
    const change = async (body: string) => {
      const etag = (await get(uris.updateService))['@odata.etag'] as string
      return send(uris.updateService, { method: 'PATCH', headers: { ...JSON_TYPE, 'if-match': etag }, body })
    }
    expect(await get(uris.updateService)).toMatchObject({
      ServiceEnabled: true,
      HttpPushUriTargets: [],
      HttpPushUriTargetsBusy: false,
    })
    const claimed = await change(claim)
    // Lenovo's script reads the targets from the answer.
    expect(claimed).toMatchObject({ status: 200, json: JSON.parse(claim) as JsonObject })
    const accepted = await send(uris.rawPush, { method: 'POST', body: nicImage })
    await expectTask(emulator, accepted)
    await clock.advance(LONG_MS)
    await expectSuccess(emulator, accepted)
    expect(await versionOf(emulator)).toBe(NEW)
    expect(await change(release)).toMatchObject({ status: 200, json: JSON.parse(release) as JsonObject })
  })
})
