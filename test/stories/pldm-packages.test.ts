import { expect, test } from 'vitest'
import type { ComponentOrder, ImageOrder } from '../../src/image/build/builder.ts'
import { pldmBuilder } from '../../src/image/build/pldm.ts'
import { componentOrders } from '../../src/cli/image-order.ts'
import type { PldmDescriptor } from '../../src/image/image-format.ts'
import { uris } from '../../src/redfish/uris.ts'
import { startEmulator } from '../support/emulator.ts'
import { createPki } from '../support/pki.ts'
import { imageOf, signAs } from '../support/signed-images.ts'
import { messageArgs, untilInstalled, update } from '../support/updates.ts'

const packageOf = (
  versions: Readonly<Record<string, string>>,
  more: Partial<ImageOrder> = {},
): Promise<Buffer> => imageOf(versions, more, pldmBuilder)
const ordered = (name: string, version: string, more: Partial<ComponentOrder>): Partial<ImageOrder> => ({
  components: componentOrders([{ name, version }], 4_096, 'rackmount').map((one) => ({ ...one, ...more })),
})
const updated = [...untilInstalled, 'ApplyingOnComponent', 'UpdateSuccessful']
const { root, intermediate, signer } = createPki()

test('each header version is announced', async () => {
  const { get } = await startEmulator()
  expect(await get(uris.updateService)).toMatchObject({
    SupportedUpdateImageFormats: expect.arrayContaining(['PLDMv1_0', 'PLDMv1_1', 'PLDMv1_2', 'PLDMv1_3']),
  })
})

test.each<[version: string, downstream: string]>([
  ['1.0', 'false'],
  ['1.1', 'false'],
  ['1.1', 'true'],
  ['1.2', 'true'],
  ['1.3', 'false'],
  ['1.3', 'true'],
])(
  'a package of version %s updates what its descriptors are of (downstream: %s)',
  async (version, downstream) => {
    const emulator = await startEmulator()
    const image = await packageOf({ 'NIC-1': '22.42.1' }, { options: { version, downstream } })
    const { task, keys, monitor } = await update(emulator, image)
    expect({ keys, monitor }).toEqual({ keys: updated, monitor: 200 })
    expect(messageArgs(task, 'TargetDetermined')).toEqual([
      uris.firmware('NIC-1'),
      'component 0x0010 22.42.1',
    ])
    expect(await emulator.get(uris.firmware('NIC-1'))).toMatchObject({
      Version: '22.42.1',
      ReleaseDate: '2026-01-01T00:00:00Z',
    })
    // It has the same classification and identifier, and is another device.
    expect(await emulator.get(uris.firmware('NIC-2'))).toMatchObject({ Version: '7.13.2' })
  },
)

test('one package updates several devices, and twins take the same firmware', async () => {
  const emulator = await startEmulator({ speed: 'max' })
  const versions = { 'NIC-1': '22.42.1', 'NIC-2': '7.14.0', 'PSU-1': '1.8.0.0', 'DRIVE-1': 'GXA7403Q' }
  const { monitor } = await update(emulator, await packageOf(versions))
  expect(monitor).toBe(200)
  for (const [id, Version] of Object.entries({ ...versions, 'PSU-2': '1.8.0.0' }))
    expect(await emulator.get(uris.firmware(id))).toMatchObject({ Version })
})

test('what nobody here has is told, and is no harm to the rest', async () => {
  const emulator = await startEmulator({ speed: 'max' })
  const [nic, cpld] = componentOrders(
    [
      { name: 'NIC-1', version: '22.42.1' },
      { name: 'CPLD', version: '3.1.0' },
    ],
    4_096,
    'rackmount',
  )
  if (nic === undefined || cpld === undefined) throw new Error('rackmount has both')
  const stranger = { descriptors: [{ type: 2, data: '00'.repeat(16) }], classification: 10, identifier: 3 }
  const components = [{ ...cpld, identity: { pldm: stranger } }, nic]
  const { task, monitor } = await update(emulator, await packageOf({}, { components }))
  expect(monitor).toBe(200)
  expect(JSON.stringify(task)).toContain('component 0x0003 3.1.0')
  expect(await emulator.get(uris.firmware('NIC-1'))).toMatchObject({ Version: '22.42.1' })
  expect(await emulator.get(uris.firmware('CPLD'))).toMatchObject({ Version: '3.0.4' })
})

/** NIC-1's vendor, device and subsystem; what a device has beside what a record asks for does not matter. */
test.each<[what: string, change: (own: readonly PldmDescriptor[]) => PldmDescriptor[], becomes: string]>([
  ['fewer descriptors than the device has', (own) => own.slice(1, 2), '22.42.1'],
  ['a descriptor that the device has not', (own) => [...own, { type: 1, data: 'd97e0000' }], '22.41.1000'],
  ['another value of a descriptor', (own) => own.map((one) => ({ ...one, data: '0000' })), '22.41.1000'],
])('a record with %s', async (_what, change, becomes) => {
  const emulator = await startEmulator()
  const [nic] = componentOrders([{ name: 'NIC-1', version: '22.42.1' }], 4_096, 'rackmount')
  const own = nic?.identity?.pldm
  if (nic === undefined || own === undefined) throw new Error('rackmount has it')
  const components = [{ ...nic, identity: { pldm: { ...own, descriptors: change(own.descriptors) } } }]
  await update(emulator, await packageOf({}, { components }))
  expect(await emulator.get(uris.firmware('NIC-1'))).toMatchObject({ Version: becomes })
})

test('of two images for one component, the first is installed', async () => {
  const emulator = await startEmulator()
  const [nic] = componentOrders([{ name: 'NIC-1', version: '22.42.1' }], 4_096, 'rackmount')
  if (nic === undefined) throw new Error('rackmount has it')
  const components = [nic, { ...nic, version: '22.43.1' }]
  const { monitor } = await update(emulator, await packageOf({}, { components }))
  expect(monitor).toBe(200)
  expect(await emulator.get(uris.firmware('NIC-1'))).toMatchObject({ Version: '22.42.1' })
})

test.each<[what: string, more: Partial<ImageOrder>, becomes: string]>([
  ['an older version', ordered('NIC-2', '7.12.0', {}), '7.13.2'],
  ['an older version with the option to force it', ordered('NIC-2', '7.12.0', { isForced: true }), '7.12.0'],
  [
    'an older version with a higher stamp',
    { ...ordered('NIC-2', '7.12.0', {}), options: { 'comparison-stamp': String(0x07130201) } },
    '7.12.0',
  ],
  [
    'a newer version with a lower stamp',
    { ...ordered('NIC-2', '8.0.0', {}), options: { 'comparison-stamp': String(0x071301ff) } },
    '7.13.2',
  ],
])('%s for NIC-2, whose stamp is 0x07130200', async (_what, more, becomes) => {
  const emulator = await startEmulator()
  await update(emulator, await packageOf({}, more))
  expect(await emulator.get(uris.firmware('NIC-2'))).toMatchObject({ Version: becomes })
})

test('a package that asks for a reset waits for it', async () => {
  const emulator = await startEmulator()
  const { keys } = await update(
    emulator,
    await packageOf({}, ordered('NIC-1', '22.42.1', { activation: 'system-reboot' })),
  )
  expect(keys).toContain('ResetRequired')
  expect(await emulator.get(uris.firmware('NIC-1'))).toMatchObject({ Version: '22.41.1000' })
})

test.each(Object.entries(pldmBuilder.defects))(
  'a package with the defect %s is told of',
  async (defect, { messages }) => {
    const emulator = await startEmulator()
    const sign = pldmBuilder.defects[defect]?.needsSignature && { sign: signAs(signer, intermediate, root) }
    const { keys, monitor } = await update(
      emulator,
      await packageOf({ 'NIC-1': '22.42.1' }, { defect, ...sign }),
    )
    expect(monitor).toBe(400)
    expect(keys).toEqual(expect.arrayContaining(messages.map((id) => id.slice(id.indexOf('.') + 1))))
    expect(await emulator.get(uris.firmware('NIC-1'))).toMatchObject({ Version: '22.41.1000' })
    expect(emulator.spool.entries.size).toBe(0)
  },
)

test('a signature behind the payload vouches for all before it', async () => {
  const unsigned = { trust: { unsigned: 'refuse' as const, revokedDigests: [] } }
  const emulator = await startEmulator({ adapted: unsigned })
  await emulator.send(uris.trustAnchors, {
    method: 'POST',
    body: { CertificateString: root.certificate, CertificateType: 'PEM' },
  })
  const sign = signAs(signer, intermediate, root)
  const image = await packageOf({ 'NIC-1': '22.42.1' }, { sign, options: { version: '1.3' } })
  expect((await update(emulator, image)).keys).toEqual(
    expect.arrayContaining(['ImageSigned', 'UpdateSuccessful']),
  )
})

test.each<[what: string, order: Partial<ImageOrder>]>([
  ['a defect that there is not', { defect: 'everything' }],
  ['a defect by the name of an object’s member', { defect: 'toString' }],
  ['a forged signature without one', { defect: 'signature' }],
  ['the defect of a later version', { defect: 'payload-checksum', options: { version: '1.0' } }],
  ['an option that there is not', { options: { colour: 'blue' } }],
  ['a version that there is not', { options: { version: '2.0' } }],
  ['downstream devices before there were any', { options: { version: '1.0', downstream: 'true' } }],
  ['a stamp that is no number', { options: { 'comparison-stamp': 'x' } }],
  ['a version that is too long', ordered('NIC-1', '1'.repeat(256), {})],
  ['a date that is none', ordered('NIC-1', '1', { releaseDate: 'yesterday' })],
])('no package is built with %s', (_what, order) => {
  const components = componentOrders([{ name: 'NIC-1', version: '22.42.1' }], 4_096, 'rackmount')
  expect(() => pldmBuilder.build({ components, ...order })).toThrow(Error)
})

test('no package is built for a component without descriptors', () => {
  const components = [{ name: 'X', version: '1', softwareId: 'x', sizeBytes: 1 }]
  expect(() => pldmBuilder.build({ components })).toThrow('X')
})
