import { describe, expect, test } from 'vitest'
import type { EmulatorOptions } from '../../src/index.ts'
import { uris } from '../../src/redfish/uris.ts'
import { bundleOf } from '../support/images.ts'
import { startPushing } from '../support/pushing.ts'

const shapes = ['job', 'completed', 'pending'] as const
const starts = ['own-task', 'waiting-tasks'] as const
const SYSTEM = 'waits for a reset: POST /redfish/v1/Systems/1/Actions/ComputerSystem.Reset'
const MANAGER = 'waits for a reset: POST /redfish/v1/Managers/1/Actions/Manager.Reset'
const applyTime = (value: string) => ({ '@Redfish.OperationApplyTime': value })

describe.each(shapes)('where a wait for a reset is shown as %s, a push', (awaitReset) => {
  test.each([
    ['BIOS', SYSTEM],
    ['BMC-Primary', MANAGER],
  ])('of %s ends there and says what is to be done', async (id, wording) => {
    const { push, versionOf, resets } = await startPushing({ awaitReset })
    const before = await versionOf(id)
    const { isGood, waits } = await push(await bundleOf({ [id]: '9.9.9' }))
    expect({ isGood, waits }).toEqual({ isGood: true, waits: [expect.stringContaining(wording)] })
    expect(await versionOf(id)).toBe(before)
    expect(resets()).toEqual([])
  })

  test.each([
    ['BIOS', ['Systems/1']],
    ['BMC-Primary', ['Managers/1']],
    ['BIOS BMC-Primary NIC-1', ['Managers/1', 'Systems/1']],
  ])('of %s that may reset does so once, and follows it to the end', async (ids, expected) => {
    const { push, versionOf, resets } = await startPushing({ awaitReset })
    const versions = Object.fromEntries(ids.split(' ').map((id) => [id, '99.9.9']))
    const { isGood } = await push(await bundleOf(versions), { resets: true })
    expect(isGood).toBe(true)
    for (const id of ids.split(' ')) expect(await versionOf(id)).toBe('99.9.9')
    expect(resets()).toEqual(expected)
  })

  test('that waits for a reset before anything is written is followed through it', async () => {
    const { push, versionOf, resets } = await startPushing({ awaitReset })
    const image = await bundleOf({ 'NIC-1': '99.9.9', BIOS: '9.9.9' })
    const { isGood } = await push(image, { resets: true, parameters: applyTime('OnTargetReset') })
    expect(isGood).toBe(true)
    expect([await versionOf('NIC-1'), await versionOf('BIOS')]).toEqual(['99.9.9', '9.9.9'])
    expect(resets()).toEqual(['Systems/1'])
  })

  test('that fails in the reset is no success', async () => {
    const devices: EmulatorOptions['devices'] = { BIOS: { fail: { at: 'activate' } } }
    const { push, versionOf } = await startPushing({ awaitReset, devices })
    const before = await versionOf('BIOS')
    expect(await push(await bundleOf({ BIOS: '9.9.9' }), { resets: true })).toMatchObject({ isGood: false })
    expect(await versionOf('BIOS')).toBe(before)
  })

  test('of a component that is broken saves it', async () => {
    const devices: EmulatorOptions['devices'] = { BIOS: { fail: { at: 'activate', times: 1 } } }
    const { push, versionOf } = await startPushing({ awaitReset, devices })
    const image = await bundleOf({ BIOS: '9.9.9' })
    expect(await push(image, { resets: true })).toMatchObject({ isGood: false })
    expect(await push(image, { resets: true })).toMatchObject({ isGood: true })
    expect(await versionOf('BIOS')).toBe('9.9.9')
  })

  test('that one device fails while another waits is no success', async () => {
    const devices: EmulatorOptions['devices'] = { 'NIC-1': { fail: { at: 'install' } } }
    const { push } = await startPushing({ awaitReset, devices })
    const { isGood, waits } = await push(await bundleOf({ BIOS: '9.9.9', 'NIC-1': '99.9.9' }))
    expect({ isGood, waits }).toEqual({ isGood: false, waits: [expect.stringContaining(SYSTEM)] })
  })

  test('of the version that runs ends when that was installed again', async () => {
    const { push, versionOf } = await startPushing({ awaitReset })
    const image = await bundleOf({ BIOS: await versionOf('BIOS') })
    const { isGood } = await push(image, { resets: true, parameters: { ForceUpdate: true } })
    expect(isGood).toBe(true)
  })

  describe.each(starts)('and StartUpdate starts %s,', (startUpdate) => {
    const parameters = applyTime('OnStartUpdateRequest')

    test('is not started unless it may be', async () => {
      const { push, versionOf } = await startPushing({ awaitReset, startUpdate })
      const before = await versionOf('NIC-1')
      const { isGood, waits } = await push(await bundleOf({ 'NIC-1': '99.9.9' }), {
        parameters,
        resets: true,
      })
      expect({ isGood, waits }).toEqual({ isGood: true, waits: [expect.stringContaining('StartUpdate')] })
      expect(await versionOf('NIC-1')).toBe(before)
    })

    test('is started and followed to its end', async () => {
      const { push, versionOf } = await startPushing({ awaitReset, startUpdate })
      const { isGood, waits } = await push(await bundleOf({ 'NIC-1': '99.9.9' }), {
        parameters,
        starts: true,
      })
      expect({ isGood, waits }).toEqual({ isGood: true, waits: [] })
      expect(await versionOf('NIC-1')).toBe('99.9.9')
    })

    test('is started and followed to the reset that it needs', async () => {
      const { push, versionOf } = await startPushing({ awaitReset, startUpdate })
      const { isGood, waits } = await push(await bundleOf({ BIOS: '9.9.9' }), { parameters, starts: true })
      expect({ isGood, waits }).toEqual({ isGood: true, waits: [expect.stringContaining(SYSTEM)] })
      expect(await versionOf('BIOS')).not.toBe('9.9.9')
    })

    test('is started, reset and followed to its end', async () => {
      const { push, versionOf, resets } = await startPushing({ awaitReset, startUpdate })
      const both = { parameters, starts: true, resets: true }
      expect(await push(await bundleOf({ BIOS: '9.9.9' }), both)).toMatchObject({ isGood: true })
      expect(await versionOf('BIOS')).toBe('9.9.9')
      expect(resets()).toEqual(['Systems/1'])
    })
  })
})

describe('a push', () => {
  test('that stages says what is to be activated', async () => {
    const { push, versionOf } = await startPushing()
    const before = await versionOf('NIC-1')
    const { isGood, waits } = await push(await bundleOf({ 'NIC-1': '99.9.9' }), {
      parameters: { Stage: true },
      resets: true,
    })
    const staged = uris.firmware('NIC-1-99.9.9')
    expect({ isGood, waits }).toEqual({ isGood: true, waits: [`${staged} waits to be activated`] })
    expect(await versionOf('NIC-1')).toBe(before)
  })

  test('that nobody else acts for is followed while a window decides', async () => {
    const { push, versionOf, clock } = await startPushing()
    expect(clock.now()).toBeLessThan(Date.UTC(2026, 0, 1, 2))
    const parameters = applyTime('AtMaintenanceWindowStart')
    const { isGood, waits } = await push(await bundleOf({ BIOS: '9.9.9' }), { parameters })
    expect({ isGood, waits }).toEqual({ isGood: true, waits: [] })
    expect(await versionOf('BIOS')).toBe('9.9.9')
  })
})
