import { expect, test } from 'vitest'
import type { Json, JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { startEmulator, type TestEmulator } from '../support/emulator.ts'
import { bundleOf } from '../support/images.ts'
import { messageKeys, push } from '../support/multipart.ts'
import { validateBody, validateError } from '../support/schemas.ts'

const ADAPTER = `${uris.chassis}/1/NetworkAdapters`
const NIC_1 = uris.firmware('NIC-1')
const CPLD = uris.firmware('CPLD')
const NIC_2 = uris.firmware('NIC-2')
const PSU = uris.firmware('PSU-1')

/** Pushes new firmware for both adapters, the BIOS and both BMC images with these parameters; who gets it? */
async function pushAll(emulator: TestEmulator, parameters: JsonObject) {
  const image = await bundleOf({
    'NIC-1': '22.42.1',
    'NIC-2': '99.0.0',
    BIOS: '1.9.0',
    'BMC-Primary': '2.4.0',
  })
  const answer = await push(emulator, image, parameters)
  const underway = new Set<string>()
  emulator.bmc.listeners.add(({ components = [] }) => components.forEach(([id]) => underway.add(id)))
  await emulator.clock.advance(120_000)
  return { ...answer, underway: [...underway].toSorted() }
}

interface Message {
  readonly MessageId: string
  readonly MessageArgs: readonly string[]
  readonly RelatedProperties: readonly string[]
}

function messagesOf(json: JsonObject): readonly Message[] {
  const { error } = json as { readonly error?: { readonly '@Message.ExtendedInfo': readonly Message[] } }
  return error?.['@Message.ExtendedInfo'] ?? []
}

const everybody = ['BIOS', 'BMC-Primary', 'NIC-1', 'NIC-2']

test.each<[string, JsonObject, string[]]>([
  ['nothing', {}, everybody],
  ['Targets null', { Targets: null }, everybody],
  ['Targets []', { Targets: [] }, everybody],
  ['Targets [null]', { Targets: [null] }, everybody],
  ['a component', { Targets: [NIC_2] }, ['NIC-2']],
  ['a component and null', { Targets: [null, NIC_2] }, ['NIC-2']],
  ['the same component twice', { Targets: [NIC_2, NIC_2] }, ['NIC-2']],
  ['two components', { Targets: [NIC_2, NIC_1] }, ['NIC-1', 'NIC-2']],
  ['an absolute URL', { Targets: [`http://localhost:8000${NIC_1}`] }, ['NIC-1']],
  ['an absolute URL of HTTPS', { Targets: [`HTTPS://[::1]:8443${NIC_1}`] }, ['NIC-1']],
  ['no leading slash', { Targets: [NIC_1.slice(1)] }, ['NIC-1']],
  ['a trailing slash', { Targets: [`${NIC_1}/`] }, ['NIC-1']],
  ['the firmware inventory', { Targets: [uris.firmwareInventory] }, everybody],
  ['a collection of devices', { Targets: [ADAPTER] }, ['NIC-1', 'NIC-2']],
  ['a device', { Targets: [`${ADAPTER}/NIC-1`] }, ['NIC-1']],
  ['a system, with what lives on its power', { Targets: [uris.system('1')] }, ['BIOS', 'NIC-1', 'NIC-2']],
  ['the collection of systems', { Targets: [uris.systems] }, ['BIOS', 'NIC-1', 'NIC-2']],
  ['a manager, whose backup was not named', { Targets: [uris.manager('1')] }, ['BMC-Primary']],
  ['the backup', { Targets: [uris.firmware('BMC-Backup')] }, ['BMC-Backup']],
  ['ExcludeTargets null', { ExcludeTargets: null }, everybody],
  ['ExcludeTargets []', { ExcludeTargets: [] }, everybody],
  ['an excluded component', { ExcludeTargets: [NIC_1] }, ['BIOS', 'BMC-Primary', 'NIC-2']],
  ['an excluded collection', { ExcludeTargets: [ADAPTER, null] }, ['BIOS', 'BMC-Primary']],
  ['ExcludeTargets beside a target', { Targets: [NIC_1], ExcludeTargets: [NIC_1] }, ['NIC-1']],
  [
    'ExcludeTargets beside no target',
    { Targets: [null], ExcludeTargets: [ADAPTER] },
    ['BIOS', 'BMC-Primary'],
  ],
  ['Oem null', { Targets: [NIC_1], Oem: null }, ['NIC-1']],
  ['Oem {}', { Targets: [NIC_1], Oem: {} }, ['NIC-1']],
  ['an Oem member of any shape', { Targets: [NIC_1], Oem: { Contoso: { Deep: [1] } } }, ['NIC-1']],
  ['Immediate', { Targets: [NIC_1], '@Redfish.OperationApplyTime': 'Immediate' }, ['NIC-1']],
  ['false for what is not offered', { Targets: [NIC_1], Stage: false, LocalImage: false }, ['NIC-1']],
])('a push with %s goes to whom it is for', async (_what, parameters, expected) => {
  const emulator = await startEmulator()
  const { status, json, underway } = await pushAll(emulator, parameters)
  expect(status).toBe(202)
  expect(validateBody(json)).toEqual([])
  expect(underway).toEqual(expected)
})

test.each<[string, JsonObject, string, string]>([
  ['an unknown component', { Targets: [uris.firmware('NIC-9')] }, 'ResourceMissingAtURI', '/Targets/0'],
  ['an unknown device', { Targets: [NIC_1, `${ADAPTER}/NIC-9`] }, 'ResourceMissingAtURI', '/Targets/1'],
  ['a URI of nowhere', { Targets: ['/elsewhere'] }, 'ResourceMissingAtURI', '/Targets/0'],
  ['no URI at all', { Targets: ['not a uri'] }, 'PropertyValueFormatError', '/Targets/0'],
  ['an empty URI', { Targets: [''] }, 'PropertyValueFormatError', '/Targets/0'],
  ['a number', { Targets: [1] }, 'PropertyValueTypeError', '/Targets/0'],
  ['a link object', { Targets: [{ '@odata.id': NIC_1 }] }, 'PropertyValueTypeError', '/Targets/0'],
  ['no array', { Targets: NIC_1 }, 'PropertyValueTypeError', '/Targets'],
  [
    'host software',
    { Targets: [uris.software('NIC-Driver')] },
    'PropertyValueResourceConflict',
    '/Targets/0',
  ],
  ['all host software', { Targets: [uris.softwareInventory] }, 'PropertyValueResourceConflict', '/Targets/0'],
  [
    'a sensor',
    { Targets: [`${uris.chassis}/1/Sensors/InletTemp`] },
    'PropertyValueResourceConflict',
    '/Targets/0',
  ],
  ['an unknown exclusion', { ExcludeTargets: ['/elsewhere'] }, 'ResourceMissingAtURI', '/ExcludeTargets/0'],
  ['ForceUpdate as text', { ForceUpdate: 'true' }, 'PropertyValueTypeError', '/ForceUpdate'],
  ['ForceUpdate null', { ForceUpdate: null }, 'PropertyValueTypeError', '/ForceUpdate'],
  [
    'Stage for what cannot be staged',
    { Stage: true, Targets: [CPLD, PSU] },
    'PropertyValueConflict',
    '/Stage',
  ],
  ['Stage as text', { Stage: 'true' }, 'PropertyValueTypeError', '/Stage'],
  ['LocalImage as text', { LocalImage: 'true' }, 'PropertyValueTypeError', '/LocalImage'],
  ['Oem as text', { Oem: 'Contoso' }, 'PropertyValueTypeError', '/Oem'],
  ['an unknown property', { Colour: 'red' }, 'PropertyUnknown', '/Colour'],
  ['a parameter of SimpleUpdate', { ImageURI: 'http://x/y' }, 'PropertyUnknown', '/ImageURI'],
  ['targets in lower case', { targets: [NIC_1] }, 'PropertyUnknown', '/targets'],
])('a push with %s is 400 and starts nothing', async (_what, parameters, key, pointer) => {
  const emulator = await startEmulator()
  const { status, json } = await pushAll(emulator, parameters)
  expect(status).toBe(400)
  expect(messageKeys(json)).toEqual([key])
  expect(messagesOf(json)[0]?.RelatedProperties).toEqual([pointer])
  expect(validateError(json)).toEqual([])
  expect(emulator.spool.entries.size).toBe(0)
  expect(await emulator.get(uris.tasks)).toMatchObject({ 'Members@odata.count': 0 })
})

test.each(['Tomorrow', 'onreset', 'immediate', ''])(
  'the apply time %j is not in the list',
  async (applyTime) => {
    const emulator = await startEmulator()
    const { status, json } = await pushAll(emulator, { '@Redfish.OperationApplyTime': applyTime })
    expect(status).toBe(400)
    expect(messagesOf(json)).toMatchObject([
      {
        MessageId: expect.stringMatching(/^Base\.1\.\d+\.PropertyValueNotInList$/) as string,
        MessageArgs: [applyTime, '@Redfish.OperationApplyTime'],
        RelatedProperties: ['/@Redfish.OperationApplyTime'],
      },
    ])
  },
)

test('all mistakes of the parameters are told in one answer, each with its place', async () => {
  const emulator = await startEmulator()
  const { status, json } = await pushAll(emulator, {
    Targets: [NIC_1, '/elsewhere', uris.software('NIC-Driver')],
    ExcludeTargets: [7],
    ForceUpdate: 'yes',
    Stage: 1,
    LocalImage: null,
    Colour: 'red',
    '@Redfish.OperationApplyTime': 'Tomorrow',
  })
  expect(status).toBe(400)
  expect(validateError(json)).toEqual([])
  const found = messagesOf(json).map(
    ({ MessageId, RelatedProperties }) => `${MessageId.split('.').at(-1)} ${RelatedProperties.join()}`,
  )
  expect(found.toSorted()).toEqual([
    'PropertyUnknown /Colour',
    'PropertyValueNotInList /@Redfish.OperationApplyTime',
    'PropertyValueResourceConflict /Targets/2',
    'PropertyValueTypeError /ExcludeTargets/0',
    'PropertyValueTypeError /ForceUpdate',
    'PropertyValueTypeError /LocalImage',
    'PropertyValueTypeError /Stage',
    'ResourceMissingAtURI /Targets/1',
  ])
})

test('5000 targets are taken, one more is too many', async () => {
  const emulator = await startEmulator()
  const repeated = (length: number): Json => Array.from({ length }, () => NIC_1)
  const tooMany = await pushAll(emulator, { Targets: repeated(5_001) })
  expect(tooMany.status).toBe(400)
  expect(messagesOf(tooMany.json)).toMatchObject([{ MessageArgs: ['Targets', '5000'] }])
  expect(messageKeys(tooMany.json)).toEqual(['ArraySizeTooLong'])
  expect((await pushAll(emulator, { Targets: repeated(5_000) })).underway).toEqual(['NIC-1'])
})

test('the system of a blade means what is inside that blade', async () => {
  const emulator = await startEmulator({ machine: 'bladed' })
  const softwareIds = ['Blade1-BIOS', 'Blade2-BIOS'].map(
    (id) => emulator.bmc.machine.components.get(id)?.softwareId,
  )
  const image = await bundleOf({ BIOS: '1.5.0' }, { softwareId: softwareIds[0] ?? '' })
  await push(emulator, image, { Targets: [uris.system('Blade1')] })
  await emulator.clock.advance(120_000)
  const waiting = [...emulator.bmc.state.components].filter(([, { pending }]) => pending !== undefined)
  expect(waiting.map(([id]) => id)).toEqual(['Blade1-BIOS'])
})
