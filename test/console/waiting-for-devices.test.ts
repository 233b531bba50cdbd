import { buffer } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { commit } from '../../src/bmc/commit.ts'
import { buildBundle } from '../../src/image/build/bundle.ts'
import { messageKeyOf } from '../../src/events/occurrence.ts'
import { createMemorySpool } from '../../src/image/spool/memory-spool.ts'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { startLab } from '../support/lab.ts'
import type { LabDevice } from '../support/managed-devices.ts'
import { messageKeys, push } from '../support/multipart.ts'

const component = { name: 'BIOS', version: '2.0.0', softwareId: 'lab-bios', sizeBytes: 1_024 }
const image = (members: object = {}) => buffer(buildBundle([{ ...component, ...members }]))
const stages = ['transfer', 'verify', 'install', 'activate'].map((stage) => `${stage} BIOS`)
const stagesOf = ({ asked }: LabDevice) => asked.filter((one) => one.endsWith(' BIOS'))
const system = (id: string) => ({ '@odata.id': uris.system(id) })

describe('an update that waits for a reset of its device', () => {
  test.each([
    ['OnTargetReset', 'its system', uris.action(uris.system('2'), 'ComputerSystem.Reset'), {}],
    ['OnReset', 'its system', uris.action(uris.system('2'), 'ComputerSystem.Reset'), {}],
    ['OnTargetReset', 'its manager', uris.action(uris.manager('2'), 'Manager.Reset'), {}],
    ['OnTargetReset', 'an aggregate', uris.action(uris.aggregate('1'), 'Aggregate.Reset'), {}],
    [
      'OnReset',
      'what the service is told',
      uris.action(uris.aggregationService, 'AggregationService.Reset'),
      { TargetURIs: [system('2')] },
    ],
  ])('by %s begins when %s is reset', async (applyTime, _what, action, members) => {
    const lab = await startLab(['lab-1', 'lab-2'])
    await lab.send(uris.aggregates, { method: 'POST', body: { Elements: [system('2')] } })
    await push(lab, await image(), {
      Targets: [uris.firmware('2-BIOS')],
      '@Redfish.OperationApplyTime': applyTime,
    })
    await lab.clock.advance(10_000)
    const reset = async (uri: string, body: object) =>
      lab.send(uri, { method: 'POST', body: { ResetType: 'ForceRestart', ...body } })
    const told = JSON.stringify([...lab.bmc.state.tasks.values(), ...lab.bmc.state.jobs.values()])
    expect(told).toContain(`"${uris.action(uris.system('2'), 'ComputerSystem.Reset')}","ForceRestart"`)
    await reset(uris.action(uris.system('1'), 'ComputerSystem.Reset'), {})
    await lab.clock.advance(10_000)
    expect(stagesOf(lab.device('lab-2'))).toEqual([])
    expect((await reset(action, members)).status).toBeLessThan(300)
    await lab.clock.advance(10_000)
    expect(stagesOf(lab.device('lab-2'))).toEqual(stages)
    expect(stagesOf(lab.device('lab-1'))).toEqual([])
  })

  test('waits on while the device is only switched off, or is not there to be reset', async () => {
    const lab = await startLab(['lab-1'])
    await push(lab, await image(), { '@Redfish.OperationApplyTime': 'OnTargetReset' })
    await lab.clock.advance(10_000)
    const reset = async (ResetType: string) => {
      const action = uris.action(uris.system('1'), 'ComputerSystem.Reset')
      await lab.send(action, { method: 'POST', body: { ResetType } })
      await lab.clock.advance(10_000)
    }
    lab.device('lab-1').isUp = false
    await reset('ForceRestart')
    lab.device('lab-1').isUp = true
    await reset('ForceOff')
    expect(stagesOf(lab.device('lab-1'))).toEqual([])
    await reset('On')
    expect(stagesOf(lab.device('lab-1'))).toEqual(stages)
  })

  test('which the service is to perform has the device reset itself', async () => {
    const lab = await startLab(['lab-1'])
    const settings = { maintenanceWindowStart: lab.clock.now() + 60_000, maintenanceWindowS: 600 }
    commit(lab.bmc, { settings })
    await push(lab, await image({ activation: 'system-reboot' }), {
      '@Redfish.OperationApplyTime': 'AtMaintenanceWindowStart',
    })
    await lab.clock.advance(120_000)
    const { asked } = lab.device('lab-1')
    expect(asked).toEqual([...stages.slice(0, 3), 'ForceRestart system', ...stages.slice(3)])
    expect(lab.bmc.state.overlays.size).toBe(0)
  })
})

describe('a device that is detached', () => {
  const detach = async ({ send, clock }: Awaited<ReturnType<typeof startLab>>) => {
    await send(uris.aggregationSource('1'), { method: 'DELETE' })
    await clock.advance(0)
  }

  test.each(['transfer', 'verify', 'install', 'activate'])(
    'ends its update in the stage %s',
    async (stage) => {
      const lab = await startLab(['lab-1'])
      const device = lab.device('lab-1')
      let isReleased = false
      device.released = () => (isReleased = true)
      const { promise: reached, resolve: reach } = Promise.withResolvers<void>()
      device.during = (now) => {
        if (now !== stage) return Promise.resolve()
        reach()
        return new Promise(() => {})
      }
      await push(lab, await image(), { Targets: [uris.system('1')] })
      const moving = lab.clock.advance(30_000)
      await reached
      await lab.send(uris.aggregationSource('1'), { method: 'DELETE' })
      await moving
      const task = await lab.get(uris.task('1'))
      expect(task).toMatchObject({ TaskState: 'Exception' })
      expect(messageKeys(task)).toContain('DeviceDetached')
      expect(isReleased).toBe(stage !== 'activate')
      expect(lab.bmc.state.components.size).toBe(0)
    },
  )

  test.each([
    ['a reset', { '@Redfish.OperationApplyTime': 'OnReset' }, {}],
    ['StartUpdate', { '@Redfish.OperationApplyTime': 'OnStartUpdateRequest' }, {}],
    ['its activation', {}, { activation: 'system-reboot' }],
  ])('ends what waits for %s', async (_what, parameters, members) => {
    const lab = await startLab(['lab-1'], {}, { adapted: { awaitReset: 'job' } })
    await push(lab, await image(members), { Targets: [uris.firmware('1-BIOS')], ...parameters })
    await lab.clock.advance(30_000)
    expect(lab.bmc.state.operations.size).toBe(1)
    await detach(lab)
    expect(lab.bmc.state.operations.size).toBe(0)
    const log = [...lab.bmc.state.log.values()].map(({ message }) => messageKeyOf(message.MessageId))
    expect(log).toContain('Redflash.DeviceDetached')
    expect(lab.bmc.state.components.size).toBe(0)
  })

  test.each([
    ['a reset', { '@Redfish.OperationApplyTime': 'OnReset' }, 1, ['lab-1', 'lab-3']],
    ['StartUpdate', { '@Redfish.OperationApplyTime': 'OnStartUpdateRequest' }, 1, ['lab-1', 'lab-3']],
    ['a reset, without the image', { '@Redfish.OperationApplyTime': 'OnReset' }, 0, []],
  ])(
    'takes nothing from the others of an update that waits for %s when the console dies',
    async (_what, parameters, images, expected) => {
      const names = ['lab-1', 'lab-2', 'lab-3']
      const adapted = { awaitReset: 'job' } as const
      const first = await startLab(names, {}, { adapted })
      await push(first, await image(), { Targets: ['1', '2', '3'].map(uris.system), ...parameters })
      await first.clock.advance(10_000)
      await first.send(uris.aggregationSource('2'), { method: 'DELETE' })
      await first.clock.advance(10_000)
      const spool = images === 0 ? createMemorySpool() : first.spool
      const second = await startLab([], first.devices, { adapted, after: { ...first, spool } })
      const ask = (uri: string, body: JsonObject) => second.send(uri, { method: 'POST', body })
      await second.clock.advance(1_000)
      await ask(uris.action(uris.updateService, 'UpdateService.StartUpdate'), {})
      for (const id of ['1', '3'])
        await ask(uris.action(uris.system(id), 'ComputerSystem.Reset'), { ResetType: 'ForceRestart' })
      await second.clock.advance(60_000)
      expect(names.filter((name) => stagesOf(first.device(name)).length > 0)).toEqual(expected)
      const { Members = [] } = await second.get(`${uris.steps('1')}?$expand=.`)
      const steps = Members as unknown as readonly JsonObject[]
      const state = images === 0 ? 'Exception' : 'Completed'
      expect(steps.map(({ JobState }) => JobState)).toEqual([state, 'Exception', state])
      expect(messageKeys(steps[1] ?? {})).toContain('DeviceDetached')
      expect(second.bmc.state.operations.size).toBe(0)
    },
  )

  test('leaves nothing of what was laid over its resources', async () => {
    const lab = await startLab(['lab-1', 'lab-2'])
    const members = { AssetTag: 'one' }
    const overlays = [uris.system('1'), uris.bios(uris.system('1')), uris.system('2')]
    const resets = [[uris.system('1'), { type: 'On', wasOff: false }]] as const
    commit(lab.bmc, { overlays: overlays.map((uri) => [uri, members] as const), resets })
    await detach(lab)
    expect([...lab.bmc.state.overlays.keys()]).toEqual([uris.system('2')])
    expect(lab.bmc.state.resets.size).toBe(0)
  })
})
