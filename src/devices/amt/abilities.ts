import type { Abilities, DeviceAddress, DeviceRecord } from '../device.ts'
import { DeviceError, resultsBy } from '../device-error.ts'
import { readAlarms } from './alarms.ts'
import { decodeRecord, told } from './audit-record.ts'
import { first, type Management, type Refusals } from './management.ts'
import { problemOf } from './problems.ts'
import { alarmReturns, consentReturns } from './wsman.ts'

const asResult = resultsBy(problemOf)
const MAX_READS = 1_000

const askRefusals: Refusals = new Map([
  [consentReturns.invalidState, 'it shows a code already, or needs no consent'],
])
const codeRefusals: Refusals = new Map([
  [consentReturns.invalidState, 'it shows no code'],
  [consentReturns.blocked, 'too many codes were wrong'],
  [consentReturns.notPermitted, 'it shows another code'],
])
const alarmRefusals: Refusals = new Map([
  [alarmReturns.invalidParameter, 'by its clock that time has passed'],
  [alarmReturns.limitReached, 'it has no place for another alarm'],
  [alarmReturns.duplicate, 'it wakes at that time already'],
])

/** What Intel AMT can beside what every device can: consent of its user, its alarm clock, its audit log. */
export function createAbilities(
  manage: (device: DeviceAddress, signal: AbortSignal) => Management,
): Abilities {
  return {
    askConsent: (device, signal) =>
      asResult(signal, async () => {
        const management = manage(device, signal)
        await management.invoke('StartOptIn', management.ips.OptInService.StartOptIn(), askRefusals)
      }),
    giveConsent: (device, code, signal) =>
      asResult(signal, async () => {
        const management = manage(device, signal)
        const document = management.ips.OptInService.SendOptInCode(Number(code))
        await management.invoke('SendOptInCode', document, codeRefusals)
      }),
    wakeAt: (device, time, signal) => asResult(signal, () => addAlarm(manage(device, signal), time)),
    cancelWake: (device, time, signal) => asResult(signal, () => removeAlarms(manage(device, signal), time)),
    readLog: (device, signal) => asResult(signal, () => readRecords(manage(device, signal))),
  }
}

async function addAlarm(management: Management, time: number): Promise<void> {
  const document = management.amt.AlarmClockService.AddAlarm({
    InstanceID: `redflash ${Math.floor(time / 1_000)}`,
    ElementName: 'redflash',
    StartTime: new Date(time),
    DeleteOnCompletion: true,
  })
  await management.invoke('AddAlarm', document, alarmRefusals)
}

async function removeAlarms(management: Management, time: number): Promise<void> {
  const { AlarmClockOccurrence } = management.ips
  const second = Math.floor(time / 1_000)
  const meant = (await readAlarms(management)).filter((one) => Math.floor(one.time / 1_000) === second)
  if (meant.length === 0) throw new DeviceError({ kind: 'refused', detail: 'it does not wake at that time' })
  for (const { id } of meant)
    await management.remove(AlarmClockOccurrence.Delete({ name: 'InstanceID', value: id }))
}

async function readRecords(management: Management): Promise<DeviceRecord[]> {
  const records: DeviceRecord[] = []
  for (let reads = 0, next = 1; reads < MAX_READS; reads++) {
    const output = await management.invoke('ReadRecords', management.amt.AuditLog.ReadRecords(next))
    const found = output.get('EventRecords') ?? []
    records.push(
      ...found
        .map(decodeRecord)
        .filter((record) => record !== undefined)
        .map(told),
    )
    next += found.length
    if (found.length === 0 || next > Number(first(output, 'TotalRecordCount') ?? 0)) break
  }
  return records
}
