import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { startEmulator, type TestEmulator } from '../support/emulator.ts'
import { bundleOf } from '../support/images.ts'
import { push, pushRaw } from '../support/multipart.ts'
import { validateBody } from '../support/schemas.ts'
import { LONG_MS, reset } from '../support/updates.ts'

const NIC_1 = uris.firmware('NIC-1')
const OLD = '22.41.1000'
const NEW = '22.42.1'
const image = await bundleOf({ 'NIC-1': NEW })

const patch = ({ send }: TestEmulator, body: JsonObject) =>
  send(uris.updateService, { method: 'PATCH', body })
const setApplyTime = (emulator: TestEmulator, HttpPushUriApplyTime: JsonObject) =>
  patch(emulator, { HttpPushUriOptions: { HttpPushUriApplyTime } })
const versionOf = async ({ get }: TestEmulator, id: string) => (await get(uris.firmware(id)))['Version']

describe('HttpPushUriTargets', () => {
  test('say which components the next images are for, until they say nothing again', async () => {
    const emulator = await startEmulator()
    // As Lenovo's scripts do: reserve, push, release.
    const target = uris.firmware('BMC-Backup')
    const claimed = await patch(emulator, { HttpPushUriTargetsBusy: true, HttpPushUriTargets: [target] })
    expect(claimed).toMatchObject({
      status: 200,
      json: { HttpPushUriTargetsBusy: true, HttpPushUriTargets: [target] },
    })
    expect(validateBody(claimed.json)).toEqual([])
    const both = await bundleOf({ 'BMC-Primary': '2.4.0' })
    expect((await pushRaw(emulator, both)).status).toBe(202)
    await emulator.clock.advance(LONG_MS)
    await reset(emulator, uris.manager('1'))
    await emulator.clock.advance(LONG_MS)
    expect([await versionOf(emulator, 'BMC-Primary'), await versionOf(emulator, 'BMC-Backup')]).toEqual([
      '2.3.1',
      '2.4.0',
    ])

    const released = await patch(emulator, { HttpPushUriTargetsBusy: false, HttpPushUriTargets: [] })
    expect(released.json).toMatchObject({ HttpPushUriTargetsBusy: false, HttpPushUriTargets: [] })
    await pushRaw(emulator, both)
    await emulator.clock.advance(LONG_MS)
    await reset(emulator, uris.manager('1'))
    await emulator.clock.advance(LONG_MS)
    expect(await versionOf(emulator, 'BMC-Primary')).toBe('2.4.0')
  })

  test.each([
    ['a component that the image is not for', [uris.firmware('NIC-2')], OLD],
    ['the component', [`http://localhost:8000${NIC_1}/`], NEW],
    ['its device', [`${uris.chassis}/1/NetworkAdapters/NIC-1`], NEW],
    ['a collection', [`${uris.chassis}/1/NetworkAdapters`], NEW],
    ['several', [uris.firmware('NIC-2'), NIC_1], NEW],
  ])('are judged as the Targets of a multipart push: %s', async (_what, HttpPushUriTargets, version) => {
    const emulator = await startEmulator()
    expect((await patch(emulator, { HttpPushUriTargets })).status).toBe(200)
    expect((await pushRaw(emulator, image)).status).toBe(202)
    await emulator.clock.advance(LONG_MS)
    expect(await versionOf(emulator, 'NIC-1')).toBe(version)
  })

  test('mean nothing to a multipart push', async () => {
    const emulator = await startEmulator()
    await patch(emulator, {
      HttpPushUriTargets: [uris.firmware('NIC-2')],
      HttpPushUriOptions: { HttpPushUriApplyTime: { ApplyTime: 'OnReset' } },
    })
    await push(emulator, image)
    await emulator.clock.advance(LONG_MS)
    expect(await versionOf(emulator, 'NIC-1')).toBe(NEW)
  })
})

describe('HttpPushUriOptions', () => {
  test('let a downgrade through where ForceUpdate says so', async () => {
    const emulator = await startEmulator()
    const older = await bundleOf({ 'NIC-1': '22.40.0' })
    await pushRaw(emulator, older)
    await emulator.clock.advance(LONG_MS)
    expect(await versionOf(emulator, 'NIC-1')).toBe(OLD)
    const forced = await patch(emulator, { HttpPushUriOptions: { ForceUpdate: true } })
    expect(forced.json).toMatchObject({ HttpPushUriOptions: { ForceUpdate: true } })
    await pushRaw(emulator, older)
    await emulator.clock.advance(LONG_MS)
    expect(await versionOf(emulator, 'NIC-1')).toBe('22.40.0')
  })

  test('let the image wait where ApplyTime says so', async () => {
    const emulator = await startEmulator()
    expect((await setApplyTime(emulator, { ApplyTime: 'OnReset' })).status).toBe(200)
    expect((await pushRaw(emulator, image)).status).toBe(202)
    await emulator.clock.advance(LONG_MS)
    expect(await versionOf(emulator, 'NIC-1')).toBe(OLD)
    await reset(emulator, uris.system('1'), 'ForceRestart')
    await emulator.clock.advance(LONG_MS)
    expect(await versionOf(emulator, 'NIC-1')).toBe(NEW)
  })

  test('let the image wait for the window that they name, which is the only one there is', async () => {
    const emulator = await startEmulator()
    const window = {
      MaintenanceWindowStartTime: '2026-01-01T05:00:00Z',
      MaintenanceWindowDurationInSeconds: 600,
    }
    const { status, json } = await setApplyTime(emulator, {
      ApplyTime: 'AtMaintenanceWindowStart',
      MaintenanceWindowStartTime: '2026-01-01T06:00:00+01:00',
      MaintenanceWindowDurationInSeconds: 600,
    })
    expect(status).toBe(200)
    expect(validateBody(json)).toEqual([])
    expect(json).toMatchObject({
      HttpPushUriOptions: { HttpPushUriApplyTime: { ApplyTime: 'AtMaintenanceWindowStart', ...window } },
      '@Redfish.MaintenanceWindow': window,
    })
    await pushRaw(emulator, image)
    await emulator.clock.advance(4.9 * 3_600_000)
    expect(await versionOf(emulator, 'NIC-1')).toBe(OLD)
    await emulator.clock.advance(0.2 * 3_600_000)
    expect(await versionOf(emulator, 'NIC-1')).toBe(NEW)
  })

  test('may change one time of the window once both are said', async () => {
    const emulator = await startEmulator()
    await setApplyTime(emulator, {
      ApplyTime: 'InMaintenanceWindowOnReset',
      MaintenanceWindowStartTime: '2026-01-01T05:00:00Z',
      MaintenanceWindowDurationInSeconds: 600,
    })
    const { status, json } = await setApplyTime(emulator, { MaintenanceWindowDurationInSeconds: 900 })
    expect(status).toBe(200)
    expect(json).toMatchObject({
      HttpPushUriOptions: {
        HttpPushUriApplyTime: {
          ApplyTime: 'InMaintenanceWindowOnReset',
          MaintenanceWindowStartTime: '2026-01-01T05:00:00Z',
          MaintenanceWindowDurationInSeconds: 900,
        },
      },
    })
    const back = await setApplyTime(emulator, { ApplyTime: 'Immediate' })
    expect(back.json).toMatchObject({
      HttpPushUriOptions: { HttpPushUriApplyTime: { ApplyTime: 'Immediate' } },
    })
    expect(JSON.stringify(back.json['HttpPushUriOptions'])).not.toContain('MaintenanceWindowStartTime')
  })

  test('offer what an ApplyTime may be', async () => {
    const emulator = await startEmulator()
    const { HttpPushUriOptions } = (await emulator.get(uris.updateService)) as {
      readonly HttpPushUriOptions: {
        readonly HttpPushUriApplyTime: { readonly 'ApplyTime@Redfish.AllowableValues': readonly string[] }
      }
    }
    const offered = HttpPushUriOptions.HttpPushUriApplyTime['ApplyTime@Redfish.AllowableValues']
    expect(offered).toContain('Immediate')
    for (const ApplyTime of offered) {
      const MaintenanceWindow = ApplyTime.includes('Window') && {
        MaintenanceWindowStartTime: '2026-01-01T05:00:00Z',
        MaintenanceWindowDurationInSeconds: 600,
      }
      const { status } = await setApplyTime(emulator, { ApplyTime, ...MaintenanceWindow })
      expect({ ApplyTime, status }).toEqual({ ApplyTime, status: 200 })
    }
  })
})

test('that a client says it is busy keeps nobody from anything', async () => {
  const emulator = await startEmulator()
  await patch(emulator, { HttpPushUriTargetsBusy: true, HttpPushUriOptionsBusy: true })
  expect((await patch(emulator, { HttpPushUriTargets: [NIC_1], HttpPushUriTargetsBusy: true })).status).toBe(
    200,
  )
  expect((await pushRaw(emulator, image)).status).toBe(202)
  expect(await emulator.get(uris.updateService)).toMatchObject({
    HttpPushUriTargetsBusy: true,
    HttpPushUriOptionsBusy: true,
  })
})
