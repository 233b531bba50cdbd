import { expect, test } from 'vitest'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { applyTimes } from '../../src/redfish/apply-times.ts'
import { uris } from '../../src/redfish/uris.ts'
import { startEmulator } from '../support/emulator.ts'
import { bundleOf } from '../support/images.ts'
import { messageKeys, multipartBody, push, pushParts } from '../support/multipart.ts'
import { validateBody, validateError } from '../support/schemas.ts'

test('UpdateService shows what works, under the names of its schema', async () => {
  const { get } = await startEmulator({ maxImageBytes: 12_345_678 })
  const service = await get(uris.updateService)
  expect(validateBody(service)).toEqual([])
  expect(service).toMatchObject({
    '@odata.id': '/redfish/v1/UpdateService',
    '@odata.type': '#UpdateService.v1_17_0.UpdateService',
    Id: 'UpdateService',
    Name: 'Update service',
    ServiceEnabled: true,
    Status: { State: 'Enabled', Health: 'OK' },
    MultipartHttpPushUri: '/redfish/v1/UpdateService/update-multipart',
    HttpPushUri: '/redfish/v1/UpdateService/update',
    MaxImageSizeBytes: 12_345_678,
    SupportedUpdateImageFormats: [
      'VendorDefined',
      'PLDMv1_0',
      'PLDMv1_1',
      'PLDMv1_2',
      'PLDMv1_3',
      'UEFICapsule',
    ],
    FirmwareInventory: { '@odata.id': '/redfish/v1/UpdateService/FirmwareInventory' },
    SoftwareInventory: { '@odata.id': '/redfish/v1/UpdateService/SoftwareInventory' },
    UpdateServiceCapabilities: { '@odata.id': '/redfish/v1/UpdateService/UpdateServiceCapabilities' },
  })
  expect(Object.keys(service['Actions'] ?? {})).toEqual([
    '#UpdateService.SimpleUpdate',
    '#UpdateService.StartUpdate',
    '#UpdateService.Activate',
    '#UpdateService.GenerateSSHIdentityKeyPair',
    '#UpdateService.RemoveSSHIdentityKeyPair',
    'Oem',
  ])
})

test('the apply times, and the window that some of them name, are told wherever they count', async () => {
  const { get } = await startEmulator()
  const service = await get(uris.updateService)
  const window = {
    MaintenanceWindowStartTime: '2026-01-01T02:00:00Z',
    MaintenanceWindowDurationInSeconds: 7_200,
  }
  const support = {
    SupportedValues: [...applyTimes],
    MaintenanceWindowResource: { '@odata.id': uris.updateService },
    ...window,
  }
  expect(service).toMatchObject({
    '@Redfish.MaintenanceWindow': window,
    'MultipartHttpPushUri@Redfish.OperationApplyTimeSupport': support,
    Actions: { '#UpdateService.SimpleUpdate': { '@Redfish.OperationApplyTimeSupport': support } },
  })
})

test('an UpdateService that is switched off takes no push, until it is switched on again', async () => {
  const emulator = await startEmulator()
  const { send, spool } = emulator
  const image = await bundleOf({ 'NIC-1': '22.42.1' })
  const off = await send(uris.updateService, { method: 'PATCH', body: { ServiceEnabled: false } })
  expect(off).toMatchObject({
    status: 200,
    json: { ServiceEnabled: false, Status: { State: 'Disabled', Health: 'OK' } },
  })
  const refused = await push(emulator, image)
  expect(refused.status).toBe(503)
  expect(messageKeys(refused.json)).toEqual(['ServiceDisabled'])
  expect(validateError(refused.json)).toEqual([])
  expect(spool.entries.size).toBe(0)

  await send(uris.updateService, { method: 'PATCH', body: { ServiceEnabled: true } })
  expect((await push(emulator, image)).status).toBe(202)
})

test('switching the service off lets an update that runs come to its end', async () => {
  const emulator = await startEmulator()
  await push(emulator, await bundleOf({ 'NIC-1': '22.42.1' }))
  await emulator.clock.advance(1_000)
  await emulator.send(uris.updateService, { method: 'PATCH', body: { ServiceEnabled: false } })
  await emulator.clock.advance(60_000)
  expect(await emulator.get(uris.firmware('NIC-1'))).toMatchObject({ Version: '22.42.1' })
})

test.each<[string, JsonObject, string[]]>([
  ['a property that does not exist', { Colour: 'red' }, ['PropertyUnknown']],
  ['a read-only property', { MaxImageSizeBytes: 1 }, ['PropertyNotWritable']],
  ['a read-only Id', { Id: 'Other' }, ['PropertyNotWritable']],
  ['a wrong type', { ServiceEnabled: 'false' }, ['PropertyValueTypeError']],
  ['null', { ServiceEnabled: null }, ['PropertyValueTypeError']],
  [
    'all of these at once',
    { ServiceEnabled: 1, MaxImageSizeBytes: 1, Colour: 'red' },
    ['PropertyNotWritable', 'PropertyUnknown', 'PropertyValueTypeError'],
  ],
])('a PATCH with %s is told so and changes nothing', async (_what, body, keys) => {
  const { send, get } = await startEmulator()
  const before = await get(uris.updateService)
  const answer = await send(uris.updateService, { method: 'PATCH', body })
  expect(answer.status).toBe(400)
  expect(messageKeys(answer.json).toSorted()).toEqual(keys)
  expect(validateError(answer.json)).toEqual([])
  expect(await get(uris.updateService)).toEqual(before)
})

test('the messages of a PATCH point at the properties that they speak of', async () => {
  const { send } = await startEmulator()
  const answer = await send(uris.updateService, { method: 'PATCH', body: { Colour: 'red', 'a/b': 1 } })
  expect(answer.json).toMatchObject({
    error: {
      '@Message.ExtendedInfo': [
        { MessageArgs: ['Colour'], RelatedProperties: ['/Colour'] },
        { MessageArgs: ['a/b'], RelatedProperties: ['/a~1b'] },
      ],
    },
  })
})

test.each([{}, { '@odata.id': uris.updateService }, { '@odata.etag': '"x"', '@odata.type': '#X' }])(
  'a PATCH with nothing but %j is no operation',
  async (body) => {
    const { send } = await startEmulator()
    const answer = await send(uris.updateService, { method: 'PATCH', body })
    expect(answer.status).toBe(400)
    expect(messageKeys(answer.json)).toEqual(['NoOperation'])
  },
)

test('annotations beside a property do not hinder a PATCH', async () => {
  const { send } = await startEmulator()
  const body = { '@odata.id': uris.updateService, ServiceEnabled: false }
  expect(await send(uris.updateService, { method: 'PATCH', body })).toMatchObject({
    status: 200,
    json: { ServiceEnabled: false },
  })
})

test('a PATCH without a body is refused', async () => {
  const { send } = await startEmulator()
  const answer = await send(uris.updateService, { method: 'PATCH' })
  expect(answer.status).toBe(400)
  expect(messageKeys(answer.json)).toEqual(['UnrecognizedRequestBody'])
})

test('If-Match lets a PATCH through for the ETag that is current, and only for that', async () => {
  const { send, get } = await startEmulator()
  const etag = String((await send(uris.updateService)).headers['etag'])
  const patch = (ifMatch: string, ServiceEnabled: boolean) =>
    send(uris.updateService, { method: 'PATCH', headers: { 'if-match': ifMatch }, body: { ServiceEnabled } })
  const stale = await patch('"stale"', false)
  expect(stale.status).toBe(412)
  expect(messageKeys(stale.json)).toEqual(['PreconditionFailed'])
  expect(await get(uris.updateService)).toMatchObject({ ServiceEnabled: true })

  const fresh = await patch(etag, false)
  expect(fresh).toMatchObject({ status: 200, json: { ServiceEnabled: false } })
  expect(fresh.headers['etag']).toBe(fresh.json['@odata.etag'])
  expect(fresh.headers['etag']).not.toBe(etag)
  expect((await patch(etag, true)).status).toBe(412)
  expect((await patch(`"x", ${String(fresh.headers['etag'])}`, true)).status).toBe(200)
  expect((await patch('*', false)).status).toBe(200)
})

test('TaskService does not let ServiceEnabled and its policy be written', async () => {
  const { send } = await startEmulator()
  const body = { ServiceEnabled: false, CompletedTaskOverWritePolicy: 'Manual' }
  const answer = await send(uris.taskService, { method: 'PATCH', body })
  expect(answer.status).toBe(400)
  expect(messageKeys(answer.json)).toEqual(['PropertyNotWritable', 'PropertyNotWritable'])
})

test.each([
  ['application/octet-stream', 415],
  ['application/json', 415],
  ['multipart/mixed; boundary=test-boundary-7d2a', 415],
  ['multipart/form-data', 400],
  ['Multipart/Form-Data; boundary="test-boundary-7d2a"', 202],
])('a push of Content-Type %s is answered %i', async (type, status) => {
  const emulator = await startEmulator()
  const { body } = multipartBody(pushParts(await bundleOf({ 'NIC-1': '22.42.1' })))
  const headers = { 'content-type': type }
  const answer = await emulator.send(uris.multipartPush, { method: 'POST', headers, body })
  expect(answer.status).toBe(status)
  expect(status === 202 ? validateBody(answer.json) : validateError(answer.json)).toEqual([])
})

test('a push without a Content-Type is 415', async () => {
  const { send } = await startEmulator()
  const answer = await send(uris.multipartPush, { method: 'POST' })
  expect(answer.status).toBe(415)
  expect(messageKeys(answer.json)).toEqual(['HeaderInvalid'])
})

test.each([
  [0, 202],
  [1, 413],
])('an image %i bytes above the limit is answered %i', async (above, status) => {
  const image = await bundleOf({ 'NIC-1': '22.42.1' })
  const emulator = await startEmulator({ maxImageBytes: image.length - above })
  const answer = await push(emulator, image)
  expect(answer.status).toBe(status)
  expect(emulator.spool.entries.size).toBe(status === 202 ? 1 : 0)
  expect(messageKeys(answer.json)).toEqual(status === 202 ? [] : ['PayloadTooLarge'])
})

test('an image that the spool has no room for is 507', async () => {
  const image = await bundleOf({ 'NIC-1': '22.42.1' })
  const emulator = await startEmulator({ spoolBytes: image.length - 1 })
  const answer = await push(emulator, image)
  expect(answer.status).toBe(507)
  expect(messageKeys(answer.json)).toEqual(['InsufficientStorage'])
  expect(emulator.spool.entries.size).toBe(0)
})
