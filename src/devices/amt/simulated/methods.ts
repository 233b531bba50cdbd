import type { Xml } from '../../../redfish/xml.ts'
import { millisecondsOf } from '../../../lib/clock.ts'
import { alarmReturns, consentReturns } from '../wsman.ts'
import { elementAt, elementsOf, textAt } from '../xml-reader.ts'
import type { Asker } from './audit-log.ts'
import { bootReturns } from './boot-options.ts'
import type { Instance } from './instance.ts'
import { type AmtMachine, powerReturns } from './machine.ts'

/** A method of a class: what it does with its input, and what it returns. */
type Method = (machine: AmtMachine, input: Xml, asker: Asker) => Instance

/** What clients can have a machine do, by class and method. */
export const methods: ReadonlyMap<string, Method> = new Map<string, Method>([
  [
    'CIM_PowerManagementService/RequestPowerStateChange',
    (machine, input, asker) => {
      const state = numberAt(input, 'PowerState')
      return {
        ReturnValue: state === undefined ? powerReturns.invalidParameter : machine.request(state, asker),
      }
    },
  ],
  [
    'CIM_BootConfigSetting/ChangeBootOrder',
    ({ boot, consent, auditLog }, input, asker) => {
      const source = selectorsAt(elementAt(input, 'Source'))['InstanceID']
      // To take back what was asked for needs nobody's consent.
      if (source !== undefined && !consent.isGiven) return { ReturnValue: bootReturns.accessDenied }
      const ReturnValue = boot.change(source)
      if (source !== undefined && ReturnValue === bootReturns.success) auditLog.add('bootOptions', asker)
      return { ReturnValue }
    },
  ],
  [
    'CIM_BootService/SetBootConfigRole',
    ({ boot, consent }, input) => {
      const role = numberAt(input, 'Role')
      if (role === undefined) return { ReturnValue: bootReturns.invalidParameter }
      return { ReturnValue: consent.isGiven ? boot.setRole(role) : bootReturns.accessDenied }
    },
  ],
  [
    'CIM_BootService/RequestStateChange',
    ({ boot }, input) => ({ ReturnValue: boot.enable(numberAt(input, 'RequestedState') ?? 0) }),
  ],
  ['IPS_OptInService/StartOptIn', ({ consent }) => ({ ReturnValue: consent.start() })],
  ['IPS_OptInService/CancelOptIn', ({ consent }) => ({ ReturnValue: consent.cancel() })],
  [
    'IPS_OptInService/SendOptInCode',
    ({ consent }, input, asker) => {
      const code = numberAt(input, 'OptInCode')
      return { ReturnValue: code === undefined ? consentReturns.notPermitted : consent.send(code, asker) }
    },
  ],
  ['AMT_AlarmClockService/AddAlarm', addAlarm],
  [
    'AMT_AuditLog/ReadRecords',
    ({ auditLog }, input) => {
      const records = auditLog.read(numberAt(input, 'StartIndex') ?? 1)
      return {
        EventRecords: records,
        RecordsReturned: records.length,
        ReturnValue: 0,
        TotalRecordCount: auditLog.count,
      }
    },
  ],
])

function addAlarm({ alarmClock }: AmtMachine, input: Xml): Instance {
  const template = elementAt(input, 'AlarmTemplate')
  const instanceId = textAt(template, 'InstanceID')
  const intervalMinutes = minutesOf(textAt(template, 'Interval', 'Interval') ?? 'P0DT0H0M')
  if (instanceId === undefined || instanceId === '' || intervalMinutes === undefined)
    return { ReturnValue: alarmReturns.invalidParameter }
  const ReturnValue = alarmClock.add({
    instanceId,
    elementName: textAt(template, 'ElementName') ?? instanceId,
    startTime: millisecondsOf(textAt(template, 'StartTime', 'Datetime') ?? ''),
    intervalMinutes,
    deleteOnCompletion: textAt(template, 'DeleteOnCompletion') === 'true',
  })
  if (ReturnValue !== alarmReturns.success) return { ReturnValue }
  return {
    AlarmClock: { reference: 'IPS_AlarmClockOccurrence', keys: { InstanceID: instanceId } },
    ReturnValue,
  }
}

function minutesOf(interval: string): number | undefined {
  const [all, days = 0, hours = 0, minutes = 0] =
    /^P(?:(\d{1,5})D)?(?:T(?:(\d{1,5})H)?(?:(\d{1,5})M)?)?$/.exec(interval) ?? []
  return all === undefined ? undefined : (Number(days) * 24 + Number(hours)) * 60 + Number(minutes)
}

function numberAt(input: Xml, name: string): number | undefined {
  const text = textAt(input, name) ?? ''
  return /^\d{1,10}$/.test(text) ? Number(text) : undefined
}

/** What selects an instance, in a header or a reference. */
export function selectorsAt(xml: Xml | undefined): Readonly<Record<string, string>> {
  const set = elementAt(xml, 'ReferenceParameters', 'SelectorSet') ?? elementAt(xml, 'SelectorSet')
  return Object.fromEntries(
    elementsOf(set, 'Selector').map((one) => [
      one.attributes['Name'] ?? '',
      typeof one.content === 'string' ? one.content.trim() : '',
    ]),
  )
}
