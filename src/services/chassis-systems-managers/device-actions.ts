import type { Bmc, BmcAction } from '../../bmc/bmc.ts'
import type { Devices, Wish } from '../../console/devices.ts'
import { problemMessages, problemStatus } from '../../console/problems.ts'
import type { DeviceProblem } from '../../devices/device.ts'
import { type Clock, millisecondsOf } from '../../lib/clock.ts'
import type { Result } from '../../lib/result.ts'
import { type Static, Type } from '../../lib/schema.ts'
import { RedfishError } from '../../redfish/errors.ts'
import { about, message } from '../../redfish/messages/message.ts'
import type { Answer, Call } from '../../redfish/resource-table.ts'
import { deviceActions, uris } from '../../redfish/uris.ts'

const closed = { additionalProperties: false }
const Nothing = Type.Object({}, closed)
const Consent = Type.Object({ Code: Type.String({ pattern: '^[0-9]{6}$' }) }, closed)
const Wake = Type.Object({ Time: Type.String({ format: 'date-time' }) }, closed)

/** What managers of some devices can be asked for. */
export function deviceManagerActions(devices: Devices): Readonly<Record<string, BmcAction>> {
  return {
    [deviceActions.requestConsent]: {
      parameters: Nothing,
      run: (call) =>
        ask(call, devices, uris.manager, (can, address, signal) => can.askConsent(address, signal)),
    },
    [deviceActions.sendConsent]: {
      parameters: Consent,
      run: (call) => {
        const { Code } = call.body as Static<typeof Consent>
        return ask(call, devices, uris.manager, (can, address, signal) =>
          can.giveConsent(address, Code, signal),
        )
      },
    },
  }
}

/** What systems of some devices can be asked for. */
export function deviceSystemActions(devices: Devices, clock: Clock): Readonly<Record<string, BmcAction>> {
  return {
    [deviceActions.wakeAt]: {
      parameters: Wake,
      run: (call) => {
        const { Time } = call.body as Static<typeof Wake>
        const time = millisecondsOf(Time)
        if (time <= clock.now()) {
          const past = message('Base.ActionParameterValueConflict', 'Time', Time)
          throw new RedfishError(400, about(past, '/Time'))
        }
        return change(call, devices, (can, address, signal) => can.wakeAt(address, time, signal))
      },
    },
    [deviceActions.cancelWake]: {
      parameters: Wake,
      run: (call) => {
        const { Time } = call.body as Static<typeof Wake>
        const time = millisecondsOf(Time)
        return change(call, devices, (can, address, signal) => can.cancelWake(address, time, signal))
      },
    },
  }
}

function ask(
  { bmc, params: { id = '' } }: Call<Bmc>,
  devices: Devices,
  uriOf: (id: string) => string,
  wish: Wish<void>,
): Promise<Answer> {
  return answered(devices.ask(bmc, id, wish), uriOf(id))
}

/** As `ask`, of what its system shows of it then. */
async function change(call: Call<Bmc>, devices: Devices, wish: Wish<void>): Promise<Answer> {
  const answer = await ask(call, devices, uris.system, wish)
  devices.lookSoon(call.bmc, call.params['id'] ?? '')
  return answer
}

/** A device was asked: it says whether it does it. */
export async function answered(asked: Promise<Result<void, DeviceProblem>>, uri: string): Promise<Answer> {
  const done = await asked
  if (done.ok) return { status: 204 }
  throw new RedfishError(problemStatus(done.problem), problemMessages(done.problem, uri))
}
