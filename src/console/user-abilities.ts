import type { Ability } from '../bmc/managed-device.ts'
import { textOf } from '../devices/command/facts.ts'
import type { Abilities, DeviceProblem, DeviceRecord } from '../devices/device.ts'
import { fail, type Result, succeed } from '../lib/result.ts'
import { Type } from '../lib/schema.ts'
import { judge } from '../redfish/validation.ts'

/** What each ability takes of an adapter. */
const needs: Readonly<Record<Ability, readonly (keyof Abilities)[]>> = {
  consent: ['askConsent', 'giveConsent'],
  wake: ['wakeAt', 'cancelWake'],
  log: ['readLog'],
}

const Text = Type.String({ maxLength: 1_024 })
const judgeLog = judge(
  Type.Array(
    Type.Object(
      {
        time: Type.Integer({ minimum: 0, maximum: 8.64e15 }),
        severity: Type.Unsafe<DeviceRecord['severity']>({ enum: ['OK', 'Warning', 'Critical'] }),
        text: Text,
        user: Type.Optional(Text),
        address: Type.Optional(Text),
      },
      { additionalProperties: false },
    ),
  ),
)

/** The abilities of which all is there. */
export function abilitiesIn(given: Partial<Abilities> = {}): readonly Ability[] {
  const all = Object.keys(needs) as Ability[] // the record's own
  return all.filter((name) => needs[name].every((member) => typeof given[member] === 'function'))
}

/** All of them, those that are not there as what no device can; what is read of devices is judged: it is shown. */
export function wholeAbilities(given: Partial<Abilities>): Abilities {
  const none = async (): Promise<Result<never, DeviceProblem>> =>
    fail({ kind: 'unsupported', detail: 'nothing of the kind' })
  return {
    askConsent: (...asked) => given.askConsent?.(...asked) ?? none(),
    giveConsent: (...asked) => given.giveConsent?.(...asked) ?? none(),
    wakeAt: (...asked) => given.wakeAt?.(...asked) ?? none(),
    cancelWake: (...asked) => given.cancelWake?.(...asked) ?? none(),
    readLog: async (...asked) => {
      const read = await (given.readLog?.(...asked) ?? none())
      if (!read.ok) return read
      const judged = judgeLog(read.value)
      return judged.ok
        ? succeed(judged.value)
        : fail({ kind: 'failed', detail: `its log: ${textOf(judged.problem)}` })
    },
  }
}
