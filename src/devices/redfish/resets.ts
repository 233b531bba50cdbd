import { patientGet, patientPost, pause } from '../../client/errand.ts'
import { isObject, type JsonObject } from '../../redfish/resource.ts'
import { referencePath, uris } from '../../redfish/uris.ts'
import { type Connection, textIn } from './connection.ts'
import { DeviceError } from '../device-error.ts'
import { answerProblem } from './problems.ts'
import { readIfThere } from './reading.ts'

/** A reset that is asked for: of the action's resource; of the gentlest type that this offers, unless one is named. */
export interface ResetAsk {
  readonly action: string
  readonly type: string
}

const resetActions = ['#ComputerSystem.Reset', '#Manager.Reset', '#Chassis.Reset'] as const

/** The resets that let something begin anew, the gentlest first (Resource v1_23, ResetType). */
const renewing = ['GracefulRestart', 'ForceRestart', 'PowerCycle', 'FullPowerCycle']

/** The action that resets a system or a manager, where it has one. */
export function resetAction(resource: JsonObject | undefined): JsonObject | undefined {
  const actions = resource?.['Actions']
  if (!isObject(actions)) return undefined
  return resetActions.map((name) => actions[name]).find(isObject)
}

/** The ResetTypes that it can be asked for; `undefined` where it does not say. */
export async function offeredResets(
  connection: Connection,
  resource: JsonObject | undefined,
): Promise<readonly string[] | undefined> {
  const action = resetAction(resource)
  const told = stringsIn(action?.['ResetType@Redfish.AllowableValues'])
  if (told !== undefined) return told
  const info = textIn(action, '@Redfish.ActionInfo')
  const parameters = info === undefined ? undefined : (await readIfThere(connection, info))?.['Parameters']
  if (!Array.isArray(parameters)) return undefined
  const reset = parameters.filter(isObject).find((one) => one['Name'] === 'ResetType')
  return stringsIn(reset?.['AllowableValues'])
}

/** The gentlest that lets it begin anew. */
function gentlestOf(offered: readonly string[] | undefined): string {
  // What every service knows that does not say what it knows.
  return renewing.find((type) => offered?.includes(type)) ?? 'ForceRestart'
}

/** Performs a reset, and waits until the device answers again, or still; `asked` is told once it was asked for. */
export async function performReset(connection: Connection, ask: ResetAsk, asked: () => void): Promise<void> {
  const { errand } = connection
  const action = referencePath(ask.action)
  const resource = await readIfThere(connection, action.replace(/\/Actions\/.*/, ''))
  const type = ask.type === '' ? gentlestOf(await offeredResets(connection, resource)) : ask.type
  let answer = await patientPost(errand, action, { ResetType: type })
  // Some restart only what is on: to be switched on does as well.
  if (isRefused(answer) && textIn(resource, 'PowerState') === 'Off')
    answer = await patientPost(errand, action, { ResetType: 'On' })
  if (answer !== 'lost' && isRefused(answer))
    throw new DeviceError(answerProblem(`the reset ${type} of ${action}`, answer))
  asked()
  await pause(errand)
  await patientGet(errand, `${uris.root}/`)
}

function isRefused(answer: Awaited<ReturnType<typeof patientPost>>): boolean {
  return answer !== 'lost' && answer.status >= 300
}

function stringsIn(value: unknown): readonly string[] | undefined {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : undefined
}
