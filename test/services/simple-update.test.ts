import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { bundleOf } from '../support/images.ts'
import { messageKeys } from '../support/multipart.ts'
import { askedFor, pull, SIMPLE_UPDATE, startFetching } from '../support/pulls.ts'
import { validateBody, validateError } from '../support/schemas.ts'

const image = await bundleOf({ 'NIC-1': '22.42.1', 'NIC-2': '99.0.0' })
const ImageURI = 'http://images.example/update.tar'
const NIC_1 = uris.firmware('NIC-1')
const NIC_2 = uris.firmware('NIC-2')
const DATA = uris.localImageData('1')
const APPLY_TIME = '@Redfish.OperationApplyTime'
const SHARES = 'nfs://host/export=/srv,cifs://host/export=/srv'

describe('what SimpleUpdate says of itself', () => {
  test('its ActionInfo names what it takes, and nothing else is taken', async () => {
    const emulator = await startFetching(image)
    const info = await emulator.get(uris.actionInfo(uris.updateService, 'SimpleUpdate'))
    expect(validateBody(info)).toEqual([])
    const parameters = info['Parameters'] as unknown as readonly { Name: string; Required: boolean }[]
    const all: JsonObject = {
      ImageURI,
      TransferProtocol: 'HTTP',
      Targets: [NIC_1],
      ExcludeTargets: [NIC_2],
      Username: 'user',
      Password: 'password',
      ForceUpdate: false,
      Stage: false,
      LocalImage: false,
      [APPLY_TIME]: 'Immediate',
    }
    expect(parameters.map(({ Name }) => Name).toSorted()).toEqual(Object.keys(all).toSorted())
    expect(parameters.flatMap(({ Name, Required }) => (Required ? [Name] : []))).toEqual(['ImageURI'])
    expect((await pull(emulator, all)).status).toBe(202)
    const { status, json } = await pull(emulator, { ...all, Colour: 'red' })
    expect({ status, keys: messageKeys(json) }).toEqual({ status: 400, keys: ['ActionParameterUnknown'] })
  })

  test('its defaults and apply times are those that hold', async () => {
    const emulator = await startFetching(image)
    const { Parameters } = await emulator.get(uris.actionInfo(uris.updateService, 'SimpleUpdate'))
    const flags = ['ForceUpdate', 'Stage', 'LocalImage']
    expect(Parameters).toEqual(
      expect.arrayContaining(
        flags.map((Name) => ({ Name, Required: false, DataType: 'Boolean', DefaultValue: 'false' })),
      ),
    )
    const service = await emulator.get(uris.updateService)
    const { AllowableValues: times } = parameterOf(Parameters, APPLY_TIME)
    expect(actionIn(service)['@Redfish.OperationApplyTimeSupport']).toMatchObject({ SupportedValues: times })
    for (const time of times ?? []) {
      const { status } = await pull(await startFetching(image), { ImageURI, [APPLY_TIME]: time })
      expect({ time, status }).toEqual({ time, status: 202 })
    }
  })

  // All of TransferProtocolType (UpdateService v1_17).
  const types = ['CIFS', 'FTP', 'SFTP', 'HTTP', 'HTTPS', 'NSF', 'SCP', 'TFTP', 'OEM', 'NFS']
  test.each([
    ['no shares', '', ['FTP', 'SFTP', 'HTTP', 'HTTPS', 'SCP', 'TFTP']],
    ['shares', SHARES, types.filter((type) => type !== 'OEM')],
  ])('with %s it lists the protocols that it takes', async (_what, imageFolders, taken) => {
    const emulator = await startFetching(image, { imageFolders })
    const { Parameters } = await emulator.get(uris.actionInfo(uris.updateService, 'SimpleUpdate'))
    const { AllowableValues: listed = [] } = parameterOf(Parameters, 'TransferProtocol')
    expect([...listed].toSorted()).toEqual(taken.toSorted())
    const service = await emulator.get(uris.updateService)
    expect(validateBody(service)).toEqual([])
    expect(actionIn(service)['TransferProtocol@Redfish.AllowableValues']).toEqual(listed)
    for (const type of types) {
      const one = await startFetching(image, { imageFolders })
      const { status, json } = await pull(one, { ImageURI: 'host/export/x', TransferProtocol: type })
      const expected = taken.includes(type) ? [202, []] : [400, ['ActionParameterValueNotInList']]
      expect([type, status, messageKeys(json)]).toEqual([type, ...expected])
      await one.clock.advance(1)
      const href = `${type.toLowerCase()}://host/export/x`
      expect(one.asked.map(({ uri }) => uri.href)).toEqual(taken.includes(type) ? [href] : [])
    }
  })
})

describe('ImageURI', () => {
  test.each<[string, string | undefined, string]>([
    ['host/update.tar', undefined, 'http://host/update.tar'],
    ['host/update.tar', 'HTTPS', 'https://host/update.tar'],
    ['host:8080/update.tar', 'SCP', 'scp://host:8080/update.tar'],
    ['user:pw@host/update.tar', 'TFTP', 'tftp://host/update.tar'],
    ['[::1]:8080/update.tar', undefined, 'http://[::1]:8080/update.tar'],
    ['//host/update.tar', undefined, 'http://host/update.tar'],
    ['http://host/update.tar', 'TFTP', 'http://host/update.tar'],
    ['HTTPS://HOST/update.tar', 'HTTP', 'https://host/update.tar'],
    ['ftps://host/update.tar', undefined, 'ftps://host/update.tar'],
    ['sftp://host:2222/srv/update.tar', 'HTTP', 'sftp://host:2222/srv/update.tar'],
    ['smb://host/export/update.tar', undefined, 'smb://host/export/update.tar'],
    ['nsf://host/export/update.tar', undefined, 'nsf://host/export/update.tar'],
    ['http://host/update.tar?token=a&b=c', undefined, 'http://host/update.tar?token=a&b=c'],
  ])('%s with TransferProtocol %s is %s', async (given, TransferProtocol, href) => {
    const emulator = await startFetching(image, { imageFolders: SHARES })
    const body = { ImageURI: given, ...(TransferProtocol !== undefined && { TransferProtocol }) }
    expect(await askedFor(emulator, body)).toMatchObject({ href })
  })

  test.each<[string, JsonObject, string, string[]]>([
    ['of another scheme', { ImageURI: 'gopher://host/x' }, 'ActionParameterValueNotInList', ['GOPHER']],
    [
      'of a share that nothing stands for',
      { ImageURI: 'nfs://host/x' },
      'ActionParameterValueNotInList',
      ['NFS'],
    ],
    ['of an old spelling of that', { ImageURI: 'nsf://host/x' }, 'ActionParameterValueNotInList', ['NSF']],
    [
      'with a port that is none',
      { ImageURI: 'http://host:99999/x?planted' },
      'InvalidObject',
      ['http://host:99999/x'],
    ],
    ['without a host', { ImageURI: 'sftp:///x' }, 'InvalidObject', ['sftp:///x']],
    ['that is nothing', { ImageURI: '' }, 'ActionParameterValueFormatError', ['']],
    ['that is no text', { ImageURI: 5 }, 'ActionParameterValueTypeError', ['5']],
    ['that is null', { ImageURI: null }, 'ActionParameterValueTypeError', ['null']],
    ['that is not there', {}, 'ActionParameterMissing', [SIMPLE_UPDATE.split('/').at(-1) ?? '']],
    ['of an image that is not kept', { ImageURI: DATA }, 'ResourceMissingAtURI', [DATA]],
    ['of another path here', { ImageURI: uris.updateService }, 'ResourceMissingAtURI', [uris.updateService]],
  ])('%s is refused', async (_what, body, key, [first]) => {
    const { status, json } = await pull(await startFetching(image), body)
    expect({ status, keys: messageKeys(json) }).toEqual({ status: 400, keys: [key] })
    expect(validateError(json)).toEqual([])
    const related = { RelatedProperties: ['/ImageURI'] }
    expect(json).toMatchObject({ error: { '@Message.ExtendedInfo': [related] } })
    expect(argsIn(json)).toContain(first)
  })
})

test.each<[string, JsonObject, string[]]>([
  [
    'of their values',
    {
      ImageURI: 'gopher://host/x',
      Targets: ['/redfish/v1/Nowhere'],
      ExcludeTargets: [uris.localImages],
      Stage: true,
    },
    ['ActionParameterValueNotInList', 'ResourceMissingAtURI', 'ResourceMissingAtURI'],
  ],
  [
    'of what cannot be done',
    { ImageURI, Targets: [uris.firmware('PSU-1')], Stage: true },
    ['ActionParameterValueError'],
  ],
  [
    'of their form and of their values',
    {
      ImageURI: 'http://host:99999/',
      Targets: ['/redfish/v1/Nowhere'],
      ForceUpdate: 1,
      Colour: 'red',
      Password: 5,
    },
    [
      'ActionParameterUnknown',
      'ActionParameterValueTypeError',
      'ActionParameterValueTypeError',
      'InvalidObject',
      'ResourceMissingAtURI',
    ],
  ],
  [
    'beside an ImageURI that is missing',
    { TransferProtocol: 'OEM', Targets: ['/redfish/v1/Nowhere'] },
    ['ActionParameterMissing', 'ActionParameterValueNotInList', 'ResourceMissingAtURI'],
  ],
  [
    'beside an image that is not kept',
    { ImageURI: DATA, Targets: ['/redfish/v1/Nowhere'] },
    ['ResourceMissingAtURI', 'ResourceMissingAtURI'],
  ],
])('one answer tells all mistakes %s, and nothing begins', async (_what, body, keys) => {
  const emulator = await startFetching(image)
  const { status, json } = await pull(emulator, body)
  expect({ status, keys: messageKeys(json).toSorted() }).toEqual({ status: 400, keys })
  expect(validateError(json)).toEqual([])
  expect([emulator.bmc.state.tasks.size, emulator.spool.entries.size, emulator.asked.length]).toEqual([
    0, 0, 0,
  ])
})

test('a body that is no object is no request', async () => {
  const emulator = await startFetching(image)
  const headers = { 'content-type': 'application/json' }
  const { status, json } = await pull(emulator, {}, { body: '["x"]', headers })
  expect({ status, keys: messageKeys(json) }).toEqual({ status: 400, keys: ['UnrecognizedRequestBody'] })
})

test('a service that is switched off fetches nothing, until it is switched on again', async () => {
  const emulator = await startFetching(image)
  const patch = (ServiceEnabled: boolean) =>
    emulator.send(uris.updateService, { method: 'PATCH', body: { ServiceEnabled } })
  await patch(false)
  const { status, json } = await pull(emulator, { ImageURI })
  expect({ status, keys: messageKeys(json) }).toEqual({ status: 503, keys: ['ServiceDisabled'] })
  expect([emulator.bmc.state.tasks.size, emulator.asked.length]).toEqual([0, 0])
  await patch(true)
  expect((await pull(emulator, { ImageURI })).status).toBe(202)
})

test('who may only look fetches nothing', async () => {
  const emulator = await startFetching(image)
  expect((await pull(emulator, { ImageURI }, { user: 'reader' })).status).toBe(403)
  expect((await pull(emulator, { ImageURI }, { user: null })).status).toBe(401)
  expect(emulator.asked).toEqual([])
})

interface Parameter {
  readonly Name: string
  readonly AllowableValues?: readonly string[]
}

function parameterOf(parameters: unknown, name: string): Parameter {
  const found = (parameters as readonly Parameter[]).find(({ Name }) => Name === name)
  if (found === undefined) throw new Error(`no parameter ${name}`)
  return found
}

function actionIn(service: JsonObject): JsonObject {
  return (service['Actions'] as Readonly<Record<string, JsonObject>>)['#UpdateService.SimpleUpdate'] ?? {}
}

function argsIn(json: JsonObject): readonly string[] {
  const { error } = json as {
    readonly error?: {
      readonly '@Message.ExtendedInfo': readonly { readonly MessageArgs: readonly string[] }[]
    }
  }
  return error?.['@Message.ExtendedInfo'].flatMap(({ MessageArgs }) => MessageArgs) ?? []
}
