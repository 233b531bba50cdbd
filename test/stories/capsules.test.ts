import { buffer } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { componentOrders } from '../../src/cli/image-order.ts'
import type { ComponentOrder, ImageOrder } from '../../src/image/build/builder.ts'
import { capsuleBuilder } from '../../src/image/build/capsule.ts'
import { uris } from '../../src/redfish/uris.ts'
import { capsuleOf, itemsOf } from '../support/capsules.ts'
import { startEmulator, type TestEmulator } from '../support/emulator.ts'
import { createPki } from '../support/pki.ts'
import { signAs } from '../support/signed-images.ts'
import { LONG_MS, messageArgs, reset, untilInstalled, update } from '../support/updates.ts'

const BIOS_TYPE = '836316da-220a-5e17-a67a-81e88c36b2e6'
const NIC_TYPE = '00063bf5-2250-5d9b-977d-59cf8e4b9bb0'
const updated = [...untilInstalled, 'ApplyingOnComponent', 'UpdateSuccessful']
const firmware = Buffer.alloc(9_000, 0x5a)

function capsuleFor(
  name: string,
  version: string,
  more: Partial<ComponentOrder> & Pick<ImageOrder, 'options' | 'sign'> = {},
): Promise<Buffer> {
  const { options = {}, sign, ...component } = more
  const [order] = componentOrders(
    [{ name, version }],
    4_096,
    name.startsWith('Blade') ? 'bladed' : 'rackmount',
  )
  if (order === undefined) throw new Error(`no ${name}`)
  const components = [{ ...order, ...component }]
  return buffer(capsuleBuilder.build({ components, options, ...(sign && { sign }) }))
}

async function versionOf({ get }: TestEmulator, id: string): Promise<unknown> {
  return (await get(uris.firmware(id)))['Version']
}

test('the format is announced', async () => {
  const { get } = await startEmulator()
  expect(await get(uris.updateService)).toMatchObject({
    SupportedUpdateImageFormats: expect.arrayContaining(['UEFICapsule']),
  })
})

describe('a capsule for NIC-1, which is at 22.41.1000', () => {
  test.each(['1', '2', '3'])('updates it, with headers of version %s', async (version) => {
    const emulator = await startEmulator()
    const image = await capsuleFor('NIC-1', '22.42.1', { options: { 'header-version': version } })
    const { task, keys, monitor } = await update(emulator, image)
    expect({ keys, monitor }).toEqual({ keys: updated, monitor: 200 })
    expect(messageArgs(task, 'TargetDetermined')).toEqual([uris.firmware('NIC-1'), `FMP ${NIC_TYPE} 22.42.1`])
    expect(await versionOf(emulator, 'NIC-1')).toBe('22.42.1')
    expect(await versionOf(emulator, 'NIC-2')).toBe('7.13.2')
  })

  test.each([
    ['22.41.1000', 'UpdateSkippedSameVersion'],
    ['22.41.999', 'UpdateSkipped'],
    ['22.35.0', 'UpdateSkippedVersionTooLow'],
  ])('is judged by its number as the device writes it: %s', async (version, key) => {
    const emulator = await startEmulator()
    const { keys } = await update(emulator, await capsuleFor('NIC-1', version))
    expect(keys).toEqual(['UpdateInProgress', key, 'AllTargetsDetermined'])
  })

  test('does not go back below the lowest version that one before it supported', async () => {
    const emulator = await startEmulator()
    await update(emulator, await capsuleFor('NIC-1', '22.43.1', { lowestVersion: '22.42.1' }))
    expect(await emulator.get(uris.firmware('NIC-1'))).toMatchObject({ LowestSupportedVersion: '22.42.1' })
    for (const [version, key] of [
      ['22.42.0', 'UpdateSkippedVersionTooLow'],
      // What a later one supports does not lower it again.
      ['22.42.1', 'UpdateSuccessful'],
      ['22.42.0', 'UpdateSkippedVersionTooLow'],
    ] as const) {
      const { keys } = await update(emulator, await capsuleFor('NIC-1', version), { ForceUpdate: true })
      expect(keys).toContain(key)
    }
  })

  test('that is processed by a reset waits for it', async () => {
    const emulator = await startEmulator()
    const image = await capsuleFor('NIC-1', '22.42.1', { activation: 'system-reboot' })
    expect((await update(emulator, image)).keys).toContain('ResetRequired')
    expect(await versionOf(emulator, 'NIC-1')).toBe('22.41.1000')
    await reset(emulator, uris.system('1'), 'GracefulRestart')
    await emulator.clock.advance(LONG_MS)
    expect(await versionOf(emulator, 'NIC-1')).toBe('22.42.1')
  })

  test('that is signed is taken where others are refused', async () => {
    const { root, intermediate, signer } = createPki()
    const emulator = await startEmulator({ adapted: { trust: { unsigned: 'refuse', revokedDigests: [] } } })
    await emulator.send(uris.trustAnchors, {
      method: 'POST',
      body: { CertificateString: root.certificate, CertificateType: 'PEM' },
    })
    const unsigned = await update(emulator, await capsuleFor('NIC-1', '22.42.1'))
    expect(unsigned.keys).toEqual(expect.arrayContaining(['VerificationFailed', 'ImageNotSigned']))
    const signed = await capsuleFor('NIC-1', '22.42.1', { sign: signAs(signer, intermediate) })
    expect((await update(emulator, signed)).keys).toEqual(
      expect.arrayContaining(['ImageSigned', 'UpdateSuccessful']),
    )
    expect(await versionOf(emulator, 'NIC-1')).toBe('22.42.1')
  })

  test('without a version is installed as unknown, once unless it is forced', async () => {
    const emulator = await startEmulator()
    const image = capsuleOf(firmware, { guid: NIC_TYPE, headerSize: 4_096 })
    const { task, keys } = await update(emulator, image)
    expect(keys).toEqual(updated)
    expect(messageArgs(task, 'UpdateSuccessful')).toEqual([
      uris.firmware('NIC-1'),
      `ESRT ${NIC_TYPE} unknown`,
    ])
    expect(await versionOf(emulator, 'NIC-1')).toBe('unknown')
    expect((await update(emulator, image)).keys).toContain('UpdateSkippedSameVersion')
    // Nobody knows that it is newer than what runs.
    const known = await capsuleFor('NIC-1', '22.42.1')
    expect((await update(emulator, known)).keys).toContain('UpdateSkipped')
    expect((await update(emulator, known, { ForceUpdate: true })).keys).toContain('UpdateSuccessful')
  })
})

test('a capsule for the BIOS waits for the restart of its system', async () => {
  const emulator = await startEmulator()
  await update(emulator, await capsuleFor('BIOS', '1.9.0'))
  expect(await versionOf(emulator, 'BIOS')).toBe('1.8.0')
  await reset(emulator, uris.system('1'), 'GracefulRestart')
  await emulator.clock.advance(LONG_MS)
  expect(await versionOf(emulator, 'BIOS')).toBe('1.9.0')
})

test.each([
  ['all of them', undefined, [1, 2, 3, 4]],
  ['the second', 2, [2]],
  ['nobody', 5, []],
])('a capsule for an instance of the hardware is for %s', async (_whom, hardwareInstance, blades) => {
  const emulator = await startEmulator({ machine: 'bladed' })
  const [order] = componentOrders([{ name: 'Blade1-BIOS', version: '1.5.0' }], 4_096, 'bladed')
  const imageTypeId = order?.identity?.capsule?.imageTypeId ?? ''
  const capsule = { imageTypeId, versionFormat: 'triplet' as const }
  const identity = { capsule: hardwareInstance === undefined ? capsule : { ...capsule, hardwareInstance } }
  const { task } = await update(emulator, await capsuleFor('Blade1-BIOS', '1.5.0', { identity }))
  const { Messages = [] } = task as {
    readonly Messages?: readonly { readonly MessageArgs: readonly string[] }[]
  }
  const told = new Set(Messages.flatMap(({ MessageArgs }) => MessageArgs))
  const found = [1, 2, 3, 4].filter((blade) => told.has(uris.firmware(`Blade${blade}-BIOS`)))
  expect(found).toEqual(blades)
})

test.each([
  ['a picture', capsuleOf(firmware, { guid: '3b8c8162-188c-46a4-aec9-be43f1d65697' })],
  ['no image', capsuleOf(itemsOf([]))],
  ['less than it says', capsuleOf(firmware, { guid: BIOS_TYPE }).subarray(0, -1)],
])('a capsule with %s is refused, and it is told why', async (_what, image) => {
  const emulator = await startEmulator()
  const { task, keys, monitor } = await update(emulator, image)
  const expected = ['UpdateInProgress', 'VerificationFailed', 'ImageMalformed']
  expect({ keys, monitor }).toEqual({ keys: expected, monitor: 400 })
  expect(messageArgs(task, 'ImageMalformed')?.[0]).toBe('update.tar')
  expect(emulator.spool.entries.size).toBe(0)
})
