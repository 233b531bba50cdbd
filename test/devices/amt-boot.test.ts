import { describe, expect, test } from 'vitest'
import { decodeRecord } from '../../src/devices/amt/audit-record.ts'
import { encodeParameters } from '../../src/devices/amt/boot-parameters.ts'
import { first, type Management, type Properties } from '../../src/devices/amt/management.ts'
import { requests } from '../../src/devices/amt/power-states.ts'
import { BOOT_CONFIGURATION, HTTPS_BOOT } from '../../src/devices/amt/wsman.ts'
import { never, startMachine } from '../support/amt-machine.ts'

const MINUTE_MS = 60_000
const nothing: Properties = new Map()

describe('the boot of a machine', () => {
  const server = {
    UefiBootNumberOfParams: 1,
    UefiBootParametersArray: encodeParameters([{ type: 1, value: Buffer.from('https://127.0.0.1/a') }]),
  }
  const put = (management: Management, settings: object): Promise<Properties> =>
    management.instance(management.amt.BootSettingData.Put({ ...settings } as never))
  const settingsOf = (management: Management): Promise<Properties> =>
    management.instance(management.amt.BootSettingData.Get())
  const change = async (management: Management, source?: typeof HTTPS_BOOT) => {
    const document = management.cim.BootConfigSetting.ChangeBootOrder(source)
    return first(await management.output(document), 'ReturnValue')
  }

  test('can be from a server that the settings name', async () => {
    const { management } = await startMachine()
    expect((await put(management, server)).get('UefiBootNumberOfParams')).toEqual(['1'])
    expect(await change(management, HTTPS_BOOT)).toBe('0')
    const role = management.cim.BootService.SetBootConfigRole(BOOT_CONFIGURATION, 1)
    expect(first(await management.output(role), 'ReturnValue')).toBe('0')
    expect(first(await settingsOf(management), 'OptionsCleared')).toBe('false')
    expect(await change(management)).toBe('0')
    expect(first(await settingsOf(management), 'OptionsCleared')).toBe('true')
  })

  test.each([
    [1, true],
    [32_768, false],
  ])(
    'is from there when the configuration is the next one: by the role %i it is %s',
    async (role, isBooted) => {
      const { management, request, clock, screen } = await startMachine()
      await put(management, server)
      const next = management.cim.BootService.SetBootConfigRole(BOOT_CONFIGURATION, role as 1)
      expect(first(await management.output(next), 'ReturnValue')).toBe('0')
      expect(await change(management, HTTPS_BOOT)).toBe('0')
      await request(requests.reset)
      await clock.advance(MINUTE_MS)
      expect(screen.includes('boots from https://127.0.0.1')).toBe(isBooted)
      // It was for this boot only.
      screen.length = 0
      await request(requests.reset)
      await clock.advance(MINUTE_MS)
      expect(screen).toEqual([])
    },
  )

  test('is not from a server that nobody named', async () => {
    const { management } = await startMachine()
    expect(await change(management, HTTPS_BOOT)).toBe('5')
  })

  test.each([
    ['disabled', '1', true],
    ['absent', '4', false],
  ] as const)('is not from a server where that is %s', async (httpsBoot, value, isListed) => {
    const { management } = await startMachine({ httpsBoot })
    await put(management, server)
    expect(await change(management, HTTPS_BOOT)).toBe(value)
    const sources = await management.all(management.cim.BootSourceSetting)
    expect(sources.some((one) => first(one, 'InstanceID') === HTTPS_BOOT)).toBe(isListed)
    expect(first(await settingsOf(management), 'UEFIHTTPSBootEnabled')).toBe('false')
  })

  test.each([
    ['disabled', '0', '0'],
    ['absent', '1', '4'],
  ] as const)('by HTTPS, where it is %s, is enabled if it can be', async (httpsBoot, enabled, changed) => {
    const { management } = await startMachine({ httpsBoot })
    const enable = management.cim.BootService.RequestStateChange(32_769)
    expect(first(await management.output(enable), 'ReturnValue')).toBe(enabled)
    await put(management, server)
    expect(await change(management, HTTPS_BOOT)).toBe(changed)
  })

  test.each([
    ['a flag that is none', { UseSOL: 'perhaps' }],
    ['a number that is none', { BootMediaIndex: 'first' }],
    ['parameters that are not as many as it says', { ...server, UefiBootNumberOfParams: 2 }],
    ['parameters that are cut', { UefiBootNumberOfParams: 1, UefiBootParametersArray: 'hoABAAs=' }],
  ])('takes no settings with %s', async (_what, settings) => {
    const { management } = await startMachine()
    await expect(put(management, settings)).rejects.toThrow('SchemaValidationError')
  })

  test('needs the consent of the user where that is required', async () => {
    const { management, screen, adapter, address, clock, events } = await startMachine({ consent: 'all' })
    await expect(put(management, server)).rejects.toThrow('AccessDenied')
    expect(await change(management, HTTPS_BOOT)).toBe('6')
    expect(await adapter.abilities.askConsent(address, never)).toMatchObject({ ok: true })
    expect(await adapter.abilities.giveConsent(address, codeOn(screen), never)).toMatchObject({ ok: true })
    await put(management, server)
    expect(await change(management, HTTPS_BOOT)).toBe('0')
    expect(events()).toEqual(['consentCode', 'bootOptions'])
    // What was consented to is over with the consent.
    await clock.advance(5 * MINUTE_MS)
    expect(first(await settingsOf(management), 'OptionsCleared')).toBe('true')
    await expect(put(management, server)).rejects.toThrow('AccessDenied')
  })

  test('needs no consent where that is for the keyboard only', async () => {
    const { management } = await startMachine({ consent: 'kvm' })
    await put(management, server)
    expect(await change(management, HTTPS_BOOT)).toBe('0')
  })
})

describe('the user of a machine', () => {
  const state = async (management: Management) =>
    first(await management.instance(management.ips.OptInService.Get()), 'OptInState')

  test('is not asked where no consent is required', async () => {
    const { adapter, address } = await startMachine({ consent: 'none' })
    expect(await adapter.abilities.askConsent(address, never)).toMatchObject({
      ok: false,
      problem: { kind: 'refused' },
    })
  })

  test('consents by no wrong code, and by none after three of them', async () => {
    const { adapter, address, screen, management, events } = await startMachine({ consent: 'all' })
    await adapter.abilities.askConsent(address, never)
    const code = codeOn(screen)
    const send = async () => {
      const document = management.ips.OptInService.SendOptInCode((Number(code) + 1) % 1_000_000)
      return first(await management.output(document), 'ReturnValue')
    }
    expect([await send(), await send(), await send()]).toEqual(['16', '16', '3'])
    expect(await adapter.abilities.giveConsent(address, code, never)).toMatchObject({
      problem: { kind: 'refused' },
    })
    expect(events()).toEqual(['consentCode'])
  })

  test.each([
    [2 * MINUTE_MS - 1, '2'],
    [2 * MINUTE_MS, '0'],
  ])(
    'is shown a code that is worth something for two minutes: after %i ms the state is %s',
    async (ms, told) => {
      const { adapter, address, management, clock } = await startMachine({ consent: 'all' })
      await adapter.abilities.askConsent(address, never)
      await clock.advance(ms)
      expect(await state(management)).toBe(told)
    },
  )

  test('is not asked any more when nobody wants that', async () => {
    const { adapter, address, management } = await startMachine({ consent: 'all' })
    await adapter.abilities.askConsent(address, never)
    const cancel = management.ips.OptInService.CancelOptIn()
    expect(first(await management.output(cancel), 'ReturnValue')).toBe('0')
    expect(await state(management)).toBe('0')
    expect(first(await management.output(cancel), 'ReturnValue')).toBe('2')
  })
})

describe('the alarm clock of a machine', () => {
  const alarmsOf = (management: Management): Promise<readonly Properties[]> =>
    management.all(management.ips.AlarmClockOccurrence)

  test('switches it on at the time, which nobody is recorded to have asked for', async () => {
    const { adapter, address, clock, power, management, machine } = await startMachine({ isOn: false })
    const time = clock.now() + 10 * MINUTE_MS
    expect(await adapter.abilities.wakeAt(address, time, never)).toMatchObject({ ok: true })
    const [alarm = nothing] = await alarmsOf(management)
    expect(first(alarm, 'StartTime')).toBe('2026-01-01T00:10:00Z')
    await clock.advance(10 * MINUTE_MS - 1)
    expect((await power())[0]).toBe('8')
    await clock.advance(1)
    expect((await power())[0]).toBe('2')
    expect(decodeRecord(machine.auditLog.read(1)[0] ?? '')).toMatchObject({ user: undefined })
    expect(await alarmsOf(management)).toEqual([])
  })

  test('comes again where it has an interval', async () => {
    const { clock, request, power, management } = await startMachine({ isOn: false })
    const add = management.amt.AlarmClockService.AddAlarm({
      InstanceID: 'nightly',
      StartTime: new Date(clock.now() + MINUTE_MS),
      Interval: 1_500,
      DeleteOnCompletion: true,
    })
    await management.invoke('AddAlarm', add)
    for (const minutes of [1, 1_500, 1_500]) {
      await clock.advance(minutes * MINUTE_MS)
      expect((await power())[0]).toBe('2')
      await request(requests.off)
    }
    const [alarm = nothing] = await alarmsOf(management)
    expect([first(alarm, 'StartTime'), first(alarm, 'Interval')]).toEqual([
      '2026-01-04T03:01:00Z',
      'P1DT1H0M',
    ])
  })

  test('is forgotten when it is deleted', async () => {
    const { adapter, address, clock, power, management } = await startMachine({ isOn: false })
    await adapter.abilities.wakeAt(address, clock.now() + MINUTE_MS, never)
    const [alarm = nothing] = await alarmsOf(management)
    const selector = { name: 'InstanceID', value: first(alarm, 'InstanceID') }
    await management.remove(management.ips.AlarmClockOccurrence.Delete(selector))
    await clock.advance(2 * MINUTE_MS)
    expect((await power())[0]).toBe('8')
    const again = management.remove(management.ips.AlarmClockOccurrence.Delete(selector))
    await expect(again).rejects.toThrow('InvalidSelectors')
  })

  test('is seen when the machine is looked at, and lets go of a time that it was told', async () => {
    const { adapter, address, clock, power, management } = await startMachine({ isOn: false })
    const [sooner, later] = [clock.now() + MINUTE_MS, clock.now() + 2 * MINUTE_MS]
    const wakeTimes = async () => {
      const looked = await adapter.look(address, never)
      return looked.ok ? looked.value.wakeTimes : looked.problem
    }
    expect(await wakeTimes()).toEqual([])
    for (const time of [later, sooner]) await adapter.abilities.wakeAt(address, time, never)
    expect(await wakeTimes()).toEqual([sooner, later])
    expect(await adapter.abilities.cancelWake(address, sooner + 999, never)).toMatchObject({ ok: true })
    expect(await adapter.abilities.cancelWake(address, sooner, never)).toMatchObject({
      ok: false,
      problem: { kind: 'refused' },
    })
    expect(await wakeTimes()).toEqual([later])
    await clock.advance(MINUTE_MS)
    expect((await power())[0]).toBe('8')
    await clock.advance(MINUTE_MS)
    expect([(await power())[0], await wakeTimes()]).toEqual(['2', []])
    expect(await management.all(management.ips.AlarmClockOccurrence)).toEqual([])
  })

  test('takes no time that has gone by, none twice, and no more than five', async () => {
    const { adapter, address, clock } = await startMachine({ isOn: false })
    const add = async (minutes: number) => {
      const added = await adapter.abilities.wakeAt(address, clock.now() + minutes * MINUTE_MS, never)
      return added.ok ? 'taken' : added.problem.kind
    }
    expect(await add(0)).toBe('refused')
    expect([await add(1), await add(1)]).toEqual(['taken', 'refused'])
    expect([await add(2), await add(3), await add(4), await add(5)]).toEqual(Array(4).fill('taken'))
    expect(await add(6)).toBe('refused')
  })
})

function codeOn(screen: readonly string[]): string {
  return /\d{6}/.exec(screen[0] ?? '')?.[0] ?? ''
}
