import type { Clock } from '../../lib/clock.ts'
import type { Result } from '../../lib/result.ts'
import type { DeviceAdapter, DeviceAddress, DeviceProblem } from '../device.ts'
import { type AuditRecord, decodeRecord } from './audit-record.ts'
import type { Patience, StagesOptions } from './boot-update.ts'
import { Connections } from './connection.ts'
import { readFacts, readPower } from './facts.ts'
import { first, Management } from './management.ts'
import { resetTypes } from './power-states.ts'
import { DeviceError, resultsBy } from '../device-error.ts'
import { problemOf } from './problems.ts'
import { createStages } from './stages.ts'

export interface AmtOptions {
  readonly clock: Clock
  /** Lets devices fetch an image: by HTTPS, from a server that they trust. */
  readonly publish: StagesOptions['publish']
  /**
   * Who must have signed a device's certificate, or the certificates themselves (PEM): whoever shows another is
   * `untrusted`. Unless given, any certificate is accepted, because most devices have made their own.
   */
  readonly trustedCertificates?: readonly string[]
  readonly patience?: Partial<Patience>
}

/** What Intel AMT can do beside what every device can. */
export interface AmtAdapter extends DeviceAdapter {
  /** Has a device switch itself on at this time (milliseconds since the epoch, whole seconds). */
  wakeAt(device: DeviceAddress, time: number, signal: AbortSignal): Promise<Result<void, DeviceProblem>>
  /** What was asked of it, and by whom; the oldest record first. */
  readAuditLog(
    device: DeviceAddress,
    signal: AbortSignal,
  ): Promise<Result<readonly AuditRecord[], DeviceProblem>>
  /** Shows a code to whoever sits before it. */
  askConsent(device: DeviceAddress, signal: AbortSignal): Promise<Result<void, DeviceProblem>>
  /** The code as the user has read it. */
  giveConsent(device: DeviceAddress, code: string, signal: AbortSignal): Promise<Result<void, DeviceProblem>>
}

const asResult = resultsBy(problemOf)
const ordinary: Patience = { answerMs: 30_000, installMs: 1_800_000, versionMs: 60_000, pollMs: 5_000 }
const MAX_READS = 1_000

/** Reaches computers with Intel AMT, by WS-Management. */
export function createAmtAdapter({
  clock,
  publish,
  trustedCertificates,
  ...options
}: AmtOptions): AmtAdapter {
  const patience = { ...ordinary, ...options.patience }
  const { answerMs } = patience
  const connections = new Connections({ clock, trustedCertificates, answerMs })
  const manage = (device: DeviceAddress, signal: AbortSignal): Management =>
    new Management(connections.send, device, signal)
  const stages = createStages({
    clock,
    patience,
    publish,
    manage: ({ device, signal }) => manage(device, signal),
  })
  return {
    ...stages,
    look: (device, signal) => asResult(signal, () => readFacts(manage(device, signal))),
    reset: (device, { of, type }, signal) =>
      asResult(signal, () => reset(manage(device, signal), of === 'system' ? type : undefined)),
    wakeAt: (device, time, signal) => asResult(signal, () => addAlarm(manage(device, signal), time)),
    readAuditLog: (device, signal) => asResult(signal, () => readRecords(manage(device, signal))),
    askConsent: (device, signal) =>
      asResult(signal, async () => {
        const management = manage(device, signal)
        await management.invoke('StartOptIn', management.ips.OptInService.StartOptIn())
      }),
    giveConsent: (device, code, signal) =>
      asResult(signal, async () => {
        const management = manage(device, signal)
        await management.invoke('SendOptInCode', management.ips.OptInService.SendOptInCode(Number(code)))
      }),
    close: async () => {
      stages.close()
      await connections.close()
    },
  }
}

async function reset(management: Management, type: string | undefined): Promise<void> {
  const request = type === undefined ? undefined : resetTypes.get(type)
  if (request === undefined) throw new DeviceError({ kind: 'unsupported', detail: 'it has no such reset' })
  const { available } = await readPower(management)
  if (!available.includes(request))
    throw new DeviceError({ kind: 'busy', detail: 'its power allows that not now' })
  const document = management.cim.PowerManagementService.RequestPowerStateChange(request)
  await management.invoke('RequestPowerStateChange', document)
}

async function addAlarm(management: Management, time: number): Promise<void> {
  const document = management.amt.AlarmClockService.AddAlarm({
    InstanceID: `redflash ${Math.floor(time / 1_000)}`,
    ElementName: 'redflash',
    StartTime: new Date(time),
    DeleteOnCompletion: true,
  })
  await management.invoke('AddAlarm', document)
}

async function readRecords(management: Management): Promise<AuditRecord[]> {
  const records: AuditRecord[] = []
  for (let reads = 0, next = 1; reads < MAX_READS; reads++) {
    const output = await management.invoke('ReadRecords', management.amt.AuditLog.ReadRecords(next))
    const told = output.get('EventRecords') ?? []
    records.push(...told.map(decodeRecord).filter((record) => record !== undefined))
    next += told.length
    if (told.length === 0 || next > Number(first(output, 'TotalRecordCount') ?? 0)) break
  }
  return records
}
