import { describe, expect, test } from 'vitest'
import { oemSchemas } from '../../src/redfish/oem/types.ts'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { startEmulator, type TestEmulator } from '../support/emulator.ts'
import { serveHttp } from '../support/image-server.ts'
import { bundleOf } from '../support/images.ts'
import { messageKeys, push } from '../support/multipart.ts'
import { LONG_MS, messageArgs, outcome, reset, update } from '../support/updates.ts'

const DRY = { Oem: { Redflash: { DryRun: true } } }
const NIC_1 = uris.firmware('NIC-1')
const BIOS = uris.firmware('BIOS')
const OWN_ACTION = `${uris.updateService}/Actions/Oem/RedflashUpdateService.SimpleUpdate`

/** All that a dry run must leave as it was. */
function stateOf({ bmc, spool }: TestEmulator) {
  const { components, history, localImages, jobs } = bmc.state
  return structuredClone({ components, history, localImages, jobs, entries: spool.entries.size })
}

describe('a dry run of a push', () => {
  test.each<[string, Record<string, string>, JsonObject, readonly string[], string]>([
    [
      'a newer version',
      { 'NIC-1': '22.42.1' },
      {},
      ['TargetDetermined', 'AllTargetsDetermined', 'WouldUpdate'],
      'Completed',
    ],
    [
      'what needs a reset',
      { BIOS: '1.9.0' },
      {},
      ['TargetDetermined', 'AllTargetsDetermined', 'WouldUpdate', 'WouldAwaitReset'],
      'Completed',
    ],
    [
      'what is to be staged',
      { BIOS: '1.9.0' },
      { Stage: true },
      ['TargetDetermined', 'AllTargetsDetermined', 'WouldStage'],
      'Completed',
    ],
    [
      'the version that runs',
      { 'NIC-1': '22.41.1000' },
      {},
      ['UpdateSkippedSameVersion', 'AllTargetsDetermined'],
      'Completed',
    ],
    [
      'the version that runs, by force',
      { 'NIC-1': '22.41.1000' },
      { ForceUpdate: true },
      ['TargetDetermined', 'AllTargetsDetermined', 'WouldUpdate'],
      'Completed',
    ],
    [
      'two components, one of them nobody’s',
      { 'NIC-1': '22.42.1', 'GPU-1': '1' },
      {},
      ['TargetDetermined', 'NoTargetsDetermined', 'AllTargetsDetermined', 'WouldUpdate'],
      'Completed',
    ],
  ])('of %s tells what would be, and changes nothing', async (...row) => {
    const [, versions, parameters, expected, TaskState] = row
    const emulator = await startEmulator({ adapted: { awaitReset: 'job' } })
    const before = stateOf(emulator)
    const { task, keys, monitor } = await update(emulator, await bundleOf(versions), {
      ...parameters,
      ...DRY,
    })
    expect(keys).toEqual(['UpdateInProgress', ...expected, 'NothingChanged'])
    expect(task).toMatchObject({ TaskState, PercentComplete: 100 })
    expect(monitor).toBe(200)
    expect(stateOf(emulator)).toEqual(before)
  })

  test('tells of an image that its device cannot hold, and fails for it', async () => {
    const emulator = await startEmulator()
    const large = await bundleOf({ CPLD: '9.0' }, { sizeBytes: 4_194_305 })
    const { keys, monitor } = await update(emulator, large, DRY)
    expect({ keys: keys.slice(-3), monitor }).toEqual({
      keys: ['ImageTooLarge', 'WouldFail', 'NothingChanged'],
      monitor: 400,
    })
    const fits = await bundleOf({ CPLD: '9.0' }, { sizeBytes: 4_194_304 })
    expect((await update(emulator, fits, DRY)).keys).toContain('WouldUpdate')
  })

  test('says from which version to which, and after which reset', async () => {
    const emulator = await startEmulator()
    const { task } = await update(emulator, await bundleOf({ BIOS: '1.9.0' }), DRY)
    expect(messageArgs(task, 'WouldUpdate')).toEqual([BIOS, '1.8.0', 'BIOS 1.9.0'])
    expect(messageArgs(task, 'WouldAwaitReset')).toEqual([
      'BIOS 1.9.0',
      BIOS,
      'GracefulRestart',
      '/redfish/v1/Systems/1',
    ])
  })

  test('knows what would keep the device from taking it', async () => {
    const emulator = await startEmulator()
    const image = await bundleOf({ 'NIC-1': '22.42.1' })
    await push(emulator, await bundleOf({ 'NIC-1': '22.42.0' }))
    await emulator.clock.advance(10)
    await push(emulator, image, DRY)
    await emulator.clock.advance(1)
    const busy = await outcome(emulator, '2')
    expect({ keys: busy.keys.slice(-3), monitor: busy.monitor }).toEqual({
      keys: ['ComponentBusy', 'WouldFail', 'NothingChanged'],
      monitor: 400,
    })
    await emulator.clock.advance(LONG_MS)
    await reset(emulator, uris.system('1'), 'ForceOff')
    await emulator.clock.advance(LONG_MS)
    expect((await update(emulator, image, DRY)).keys.slice(-3)).toEqual([
      'NoPower',
      'WouldFail',
      'NothingChanged',
    ])
  })

  test.each(['OnReset', 'OnStartUpdateRequest', 'AtMaintenanceWindowStart'])(
    'tells that it would wait: %s',
    async (applyTime) => {
      const emulator = await startEmulator()
      const asked = { ...DRY, '@Redfish.OperationApplyTime': applyTime }
      const { task, keys } = await update(emulator, await bundleOf({ 'NIC-1': '22.42.1' }), asked)
      expect(keys.slice(-3)).toEqual(['WouldWait', 'WouldUpdate', 'NothingChanged'])
      expect(messageArgs(task, 'WouldWait')).toEqual([NIC_1, 'NIC-1 22.42.1', applyTime])
    },
  )

  test('leaves the machine’s log alone, whatever it finds', async () => {
    const emulator = await startEmulator()
    await update(emulator, Buffer.from('no image'), DRY)
    expect(emulator.bmc.state.log.size).toBe(0)
  })

  test('knows the reset that the image asks for', async () => {
    const emulator = await startEmulator()
    const image = await bundleOf({ 'NIC-1': '22.42.1' }, { activation: 'ac-power-cycle' })
    const { task } = await update(emulator, image, DRY)
    expect(messageArgs(task, 'WouldAwaitReset')?.slice(2)).toEqual([
      'FullPowerCycle',
      '/redfish/v1/Systems/1',
    ])
  })

  test('keeps no image, waits for nothing, and keeps nobody from updating the same component', async () => {
    const emulator = await startEmulator()
    const image = await bundleOf({ 'NIC-1': '22.42.1' })
    const asked = { ...DRY, LocalImage: true, '@Redfish.OperationApplyTime': 'OnReset' }
    const { task } = await update(emulator, image, asked)
    expect(task).toMatchObject({ TaskState: 'Completed' })
    expect(emulator.bmc.state.localImages.size).toBe(0)
    expect((await update(emulator, image)).keys).toContain('UpdateSuccessful')
  })

  test('finds what the update itself would find wrong with the image', async () => {
    const emulator = await startEmulator()
    const { keys, monitor } = await update(emulator, Buffer.from('no image'), DRY)
    expect({ keys, monitor }).toEqual({
      keys: ['UpdateInProgress', 'VerificationFailed', 'ImageMalformed'],
      monitor: 400,
    })
  })

  test('is not asked for by anything but true', async () => {
    const emulator = await startEmulator()
    const image = await bundleOf({ 'NIC-1': '22.42.1' })
    await expect(update(emulator, image, { Oem: { Redflash: { DryRun: 'yes' } } })).rejects.toThrow(
      'PropertyValueTypeError',
    )
    const { keys } = await update(emulator, image, { Oem: { Redflash: { DryRun: false } } })
    expect(keys).toContain('UpdateSuccessful')
  })
})

describe('the update service’s own SimpleUpdate', () => {
  test('is shown with its parameters, which are the standard one’s and more', async () => {
    const emulator = await startEmulator({ machine: 'console' })
    const { Actions } = await emulator.get(uris.updateService)
    expect(Actions).toMatchObject({
      Oem: {
        '#RedflashUpdateService.SimpleUpdate': {
          target: OWN_ACTION,
          '@Redfish.ActionInfo': uris.actionInfo(uris.updateService, 'OemSimpleUpdate'),
        },
      },
    })
    const namesOf = async (action: string): Promise<string[]> => {
      const { Parameters } = await emulator.get(uris.actionInfo(uris.updateService, action))
      return (Parameters as readonly { readonly Name: string }[]).map(({ Name }) => Name)
    }
    const standard = await namesOf('SimpleUpdate')
    const own = await namesOf('OemSimpleUpdate')
    expect(own.filter((name) => !standard.includes(name))).toEqual(['DryRun', 'ImageSHA256', 'RollOut'])
    expect(standard.filter((name) => !own.includes(name))).toEqual([])
    const { parameters = {} } =
      oemSchemas.find(({ name }) => name === 'RedflashUpdateService')?.actions?.['SimpleUpdate'] ?? {}
    const described = [...Object.keys(parameters), '@Redfish.OperationApplyTime']
    expect(own.toSorted()).toEqual(described.toSorted())
  })

  test('fetches the image, tells what would be, and changes nothing', async () => {
    const emulator = await startEmulator()
    const before = stateOf(emulator)
    const image = await bundleOf({ 'NIC-1': '22.42.1' })
    const { origin } = await serveHttp((_request, response) => response.end(image))
    const body = { ImageURI: `${origin}/nic.tar`, DryRun: true, Targets: [NIC_1] }
    const answer = await emulator.send(OWN_ACTION, { method: 'POST', body })
    expect(answer.status).toBe(202)
    await expect
      .poll(async () => {
        await emulator.clock.advance(1_000)
        return emulator.get(uris.task('1'))
      })
      .toMatchObject({ TaskState: 'Completed' })
    const { task, keys } = await outcome(emulator, '1')
    expect(keys.slice(-3)).toEqual(['AllTargetsDetermined', 'WouldUpdate', 'NothingChanged'])
    expect(task).toMatchObject({ Payload: { TargetUri: OWN_ACTION } })
    expect(stateOf(emulator)).toEqual(before)
  })

  test('is closed to what it does not know, as the standard one is to what is only its own', async () => {
    const emulator = await startEmulator()
    const standard = uris.action(uris.updateService, 'UpdateService.SimpleUpdate')
    for (const [target, parameter] of [
      [OWN_ACTION, 'Bogus'],
      [standard, 'DryRun'],
    ] as const) {
      const body = { ImageURI: 'http://127.0.0.1/x', [parameter]: true }
      const answer = await emulator.send(target, { method: 'POST', body })
      expect(answer.status).toBe(400)
      expect(messageKeys(answer.json)).toEqual(['ActionParameterUnknown'])
    }
  })
})
