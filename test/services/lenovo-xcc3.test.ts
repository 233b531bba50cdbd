import { describe, expect, test } from 'vitest'
import { underRules } from '../../src/bmc/machine.ts'
import { loadMachine, loadProfile } from '../../src/bmc/mockup-folder.ts'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { startEmulator, type TestEmulator, type TestOptions, type TestRequest } from '../support/emulator.ts'
import { bundleOf } from '../support/images.ts'
import { messageKeys, multipartBody, pushParts, type WrittenPart } from '../support/multipart.ts'
import { validateBody, validateError } from '../support/schemas.ts'
import { LONG_MS, reset } from '../support/updates.ts'

const PUSH = '/redfish/v1/UpdateService/update'
const RAW = '/fwupdate'
const BACKUP = uris.firmware('BMC-Backup')
const PRIMARY = uris.firmware('BMC-Primary')
const NIC_1 = uris.firmware('NIC-1')
const APPLY_TIME = '@Redfish.OperationApplyTime'
const offered = ['Immediate', 'OnReset', 'OnStartUpdateRequest']
const notOffered = ['AtMaintenanceWindowStart', 'InMaintenanceWindowOnReset', 'OnTargetReset']

/** For both BMC images: they have one SoftwareId. */
const bmcImage = await bundleOf({ 'BMC-Primary': '2.4.0' })
const bundle = await bundleOf({ 'BMC-Primary': '2.4.0', 'NIC-1': '22.42.1', 'PSU-1': '1.8.0.0' })

const startXcc3 = (options: TestOptions = {}) =>
  startEmulator({ machine: underRules(loadMachine('rackmount'), loadProfile('lenovo-xcc3')), ...options })

function send(emulator: TestEmulator, parts: readonly WrittenPart[], request: TestRequest = {}) {
  const { headers, body } = multipartBody(parts)
  return emulator.send(PUSH, {
    method: 'POST',
    body,
    ...request,
    headers: { ...headers, ...request.headers },
  })
}

const push = (emulator: TestEmulator, image: Buffer, parameters: JsonObject = {}) =>
  send(emulator, pushParts(image, parameters))

/** Pushes, and lets all that comes of it happen, resets included: whose version has changed? */
async function updated(emulator: TestEmulator, image: Buffer, parameters: JsonObject): Promise<string[]> {
  expect((await push(emulator, image, parameters)).status).toBe(202)
  await emulator.clock.advance(LONG_MS)
  for (const resource of [uris.manager('1'), uris.system('1')]) {
    await reset(emulator, resource, 'GracefulRestart')
    await emulator.clock.advance(LONG_MS)
  }
  const { components } = emulator.bmc.machine
  const isNew = ({ id, factory }: { readonly id: string; readonly factory: { readonly version: string } }) =>
    (emulator.bmc.state.components.get(id)?.version ?? factory.version) !== factory.version
  return [...components.values()].filter(isNew).map(({ id }) => id)
}

async function refusal(emulator: TestEmulator, parameters: JsonObject): Promise<string[]> {
  const { status, json } = await push(emulator, bmcImage, parameters)
  expect(status).toBe(400)
  expect(validateError(json)).toEqual([])
  expect(emulator.spool.entries.size).toBe(0)
  return messageKeys(json)
}

describe('under the rules of lenovo-xcc3', () => {
  test('S1-01, S1-02: images are pushed to the URI that MultipartHttpPushUri names', async () => {
    const emulator = await startXcc3()
    const service = await emulator.get(uris.updateService)
    expect(service).toMatchObject({ MultipartHttpPushUri: PUSH, HttpPushUri: RAW })
    expect(validateBody(service)).toEqual([])
    expect(await updated(emulator, await bundleOf({ 'NIC-1': '22.42.1' }), {})).toEqual(['NIC-1'])
    for (const method of ['POST', 'GET'] as const)
      expect((await emulator.send(uris.multipartPush, { method })).status).toBe(404)
  })

  test.each([
    ['S1-03: without privilege', 'reader', 403, 'InsufficientPrivilege'],
    ['S1-09: without credentials', null, 401, 'AccessUnauthorized'],
  ])('%s nobody pushes', async (_rule, user, status, key) => {
    const emulator = await startXcc3()
    const answer = await send(emulator, pushParts(bmcImage), { user })
    expect(answer.status).toBe(status)
    expect(messageKeys(answer.json)).toEqual([key])
  })

  test('S1-04: the answer is a Task', async () => {
    const { status, json } = await push(await startXcc3(), bmcImage)
    expect(status).toBe(202)
    expect(validateBody(json)).toEqual([])
    const members = 'Id Name Description TaskMonitor StartTime TaskState Messages PercentComplete HidePayload'
    for (const member of members.split(' ')) expect(json).toHaveProperty(member)
  })

  test('S1-05, S1-11, S1-12: the image has a file name, its type, and stands after the parameters', async () => {
    const emulator = await startXcc3()
    const [parameters, file] = pushParts(bmcImage)
    expect(parameters).toMatchObject({ name: 'UpdateParameters', type: 'application/json' })
    const named = { name: 'UpdateFile', body: bmcImage, type: 'application/octet-stream', file: 'bmc.uxz' }
    expect(file?.name).toBe(named.name)
    const { json } = await send(emulator, [...pushParts(bmcImage).slice(0, 1), named])
    expect(json['Description']).toContain('bmc.uxz')
  })

  test('S1-06: an image that is too large is 413', async () => {
    const { status, json } = await push(await startXcc3({ maxImageBytes: 1_000 }), bmcImage)
    expect(status).toBe(413)
    expect(messageKeys(json)).toEqual(['PayloadTooLarge'])
  })

  test('S1-07: a second file is 400', async () => {
    const emulator = await startXcc3()
    const second = { name: 'UpdateFile', body: bmcImage, file: 'other.uxz' }
    const { status, json } = await send(emulator, [...pushParts(bmcImage), second])
    expect(status).toBe(400)
    expect(messageKeys(json)).toEqual(['MissingOrMalformedPart'])
  })

  test('S1-08: both ways to push are there, on the URIs of the profile', async () => {
    // That one refuses the other while it receives is of sockets: test/wire/raw-uploads.test.ts.
    const emulator = await startXcc3()
    const { status, json } = await emulator.send(RAW, { method: 'POST', body: bmcImage })
    expect(status).toBe(202)
    expect(json).toMatchObject({ Payload: { TargetUri: RAW } })
  })

  test('S1-09: a service that is switched off is 503', async () => {
    const emulator = await startXcc3()
    await emulator.send(uris.updateService, { method: 'PATCH', body: { ServiceEnabled: false } })
    expect((await push(emulator, bmcImage)).status).toBe(503)
  })

  test('S1-10: a session’s token is as good as a name and password', async () => {
    const emulator = await startXcc3()
    const body = { UserName: 'admin', Password: 'redflash' }
    const login = await emulator.send(uris.sessions, { method: 'POST', body, user: null })
    const headers = { 'x-auth-token': String(login.headers['x-auth-token']) }
    expect((await send(emulator, pushParts(bmcImage), { user: null, headers })).status).toBe(202)
  })

  test.each<[string, string, JsonObject, string]>([
    ['S1-09, S1-13', 'a wrong type', { Targets: BACKUP }, 'PropertyValueTypeError'],
    ['S1-09, S1-13', 'no URI', { Targets: ['not a uri'] }, 'PropertyValueFormatError'],
    ['S1-14', 'a property that is none', { Colour: 'red' }, 'PropertyUnknown'],
    ['S1-15', 'two targets', { Targets: [BACKUP, BACKUP] }, 'ArraySizeTooLong'],
    ['S1-15', 'a target and a null item', { Targets: [null, BACKUP] }, 'ArraySizeTooLong'],
    ['S1-16', 'the primary', { Targets: [PRIMARY] }, 'PropertyValueNotInList'],
    ['S1-16', 'another component', { Targets: [NIC_1] }, 'PropertyValueNotInList'],
    ['S1-16', 'the manager', { Targets: [uris.manager('1')] }, 'PropertyValueNotInList'],
    ['S1-16', 'the whole inventory', { Targets: [uris.firmwareInventory] }, 'PropertyValueNotInList'],
    ['S1-16', 'nothing there is', { Targets: ['/elsewhere'] }, 'ResourceMissingAtURI'],
    ...notOffered.map((value): [string, string, JsonObject, string] => [
      'S1-20',
      value,
      { [APPLY_TIME]: value },
      'PropertyValueNotInList',
    ]),
    ['S1-20', 'Whenever', { [APPLY_TIME]: 'Whenever' }, 'PropertyValueNotInList'],
  ])('%s: %s in the parameters is 400', async (_rule, _what, parameters, key) => {
    expect(await refusal(await startXcc3(), parameters)).toEqual([key])
  })

  test('all that the rules have against the parameters is told at once', async () => {
    const wrong = { Targets: [NIC_1, PRIMARY], [APPLY_TIME]: 'OnTargetReset' }
    expect((await refusal(await startXcc3(), wrong)).toSorted()).toEqual([
      'ArraySizeTooLong',
      'PropertyValueNotInList',
      'PropertyValueNotInList',
      'PropertyValueNotInList',
    ])
  })

  const four = ['BMC-Primary', 'NIC-1', 'PSU-1', 'PSU-2']
  test.each<[string, JsonObject, Buffer, string[]]>([
    ['S1-15, S1-17', {}, bmcImage, ['BMC-Primary']],
    ['S1-15, S1-17', { Targets: [] }, bmcImage, ['BMC-Primary']],
    ['S1-15, S1-17', { Targets: [null] }, bmcImage, ['BMC-Primary']],
    ['S1-18', { Targets: [BACKUP] }, bmcImage, ['BMC-Backup']],
    ['S1-18', { Targets: [`https://xcc${BACKUP}`] }, bmcImage, ['BMC-Backup']],
    ['S1-19, a bundle', {}, bundle, four],
    ['S1-19, a bundle', { Targets: [BACKUP] }, bundle, four],
  ])('%s: with %j an image goes where it should', async (_rule, parameters, image, expected) => {
    expect(await updated(await startXcc3(), image, parameters)).toEqual(expected)
  })

  test('S1-19: the Targets of a bundle are validated all the same', async () => {
    const { status, json } = await push(await startXcc3(), bundle, { Targets: [NIC_1] })
    expect(status).toBe(400)
    expect(messageKeys(json)).toEqual(['PropertyValueNotInList'])
  })

  test.each(offered)('S1-20: %s may be asked for', async (value) => {
    const emulator = await startXcc3()
    expect(await updated(emulator, await bundleOf({ BIOS: '1.9.0' }), { [APPLY_TIME]: value })).toEqual(
      value === 'OnStartUpdateRequest' ? [] : ['BIOS'],
    )
    if (value !== 'OnStartUpdateRequest') return
    const start = uris.action(uris.updateService, 'UpdateService.StartUpdate')
    expect((await emulator.send(start, { method: 'POST', body: {} })).status).toBe(202)
    await emulator.clock.advance(LONG_MS)
    await reset(emulator, uris.system('1'), 'GracefulRestart')
    await emulator.clock.advance(LONG_MS)
    expect(await emulator.get(uris.firmware('BIOS'))).toMatchObject({ Version: '1.9.0' })
  })
})

describe('what the service shows tells the rules:', () => {
  test('its targets and apply times, wherever they stand', async () => {
    const { get } = await startXcc3()
    const service = await get(uris.updateService)
    const { '#UpdateService.SimpleUpdate': action } = service['Actions'] as Record<string, JsonObject>
    const support = { SupportedValues: offered }
    expect(action).toMatchObject({
      'Targets@Redfish.AllowableValues': [BACKUP],
      '@Redfish.OperationApplyTimeSupport': support,
    })
    expect(service).toMatchObject({
      'MultipartHttpPushUri@Redfish.OperationApplyTimeSupport': support,
      HttpPushUriOptions: { HttpPushUriApplyTime: { 'ApplyTime@Redfish.AllowableValues': offered } },
    })
    // Of no use without an apply time that speaks of it.
    expect(JSON.stringify(action)).not.toContain('MaintenanceWindow')
    const info = await get(uris.actionInfo(uris.updateService, 'SimpleUpdate'))
    expect(info['Parameters']).toContainEqual(
      expect.objectContaining({ Name: APPLY_TIME, AllowableValues: offered }),
    )
    const capabilities = await get(uris.updateServiceCapabilities)
    expect(capabilities).toMatchObject({ AllowableTargets: [BACKUP], AllowableStaging: [] })
    for (const body of [service, info, capabilities]) expect(validateBody(body)).toEqual([])
  })

  test('they hold for what SimpleUpdate fetches', async () => {
    const { send: ask } = await startXcc3()
    const { status, json } = await ask(uris.action(uris.updateService, 'UpdateService.SimpleUpdate'), {
      method: 'POST',
      body: { ImageURI: 'http://127.0.0.1/x', Targets: [NIC_1], [APPLY_TIME]: 'OnTargetReset' },
    })
    expect(status).toBe(400)
    expect(messageKeys(json)).toEqual(['PropertyValueNotInList', 'ActionParameterValueNotInList'])
  })

  test.each([
    [{ HttpPushUriTargets: [NIC_1] }, 'PropertyValueNotInList'],
    [{ HttpPushUriTargets: [BACKUP, BACKUP] }, 'ArraySizeTooLong'],
    [
      { HttpPushUriOptions: { HttpPushUriApplyTime: { ApplyTime: 'OnTargetReset' } } },
      'PropertyValueNotInList',
    ],
  ])('and for what is said of a raw push beforehand: %j', async (body, key) => {
    const { send: ask } = await startXcc3()
    const { status, json } = await ask(uris.updateService, { method: 'PATCH', body })
    expect(status).toBe(400)
    expect(messageKeys(json)).toEqual([key])
  })
})
