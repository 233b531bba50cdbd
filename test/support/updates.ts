import type { JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import type { TestEmulator } from './emulator.ts'
import { messageKeys, push } from './multipart.ts'

/** Longer than any update of a small image takes. */
export const LONG_MS = 120_000

/** Pushes an image and lets it come to its end: the task, its messages' keys and what its monitor answers then. */
export async function update(emulator: TestEmulator, image: Buffer, parameters: JsonObject = {}) {
  const accepted = await push(emulator, image, parameters)
  if (accepted.status !== 202) throw new Error(`not accepted: ${accepted.text}`)
  await emulator.clock.advance(LONG_MS)
  return outcome(emulator, accepted.json['Id'] as string)
}

export async function outcome({ get, send }: TestEmulator, id: string) {
  const task = await get(uris.task(id))
  const { status } = await send(uris.taskMonitor(id))
  return { task, keys: messageKeys(task), monitor: status }
}

/** What the update of one component goes through when nothing is wrong, until it is installed. */
export const untilInstalled = [
  'UpdateInProgress',
  'TargetDetermined',
  'AllTargetsDetermined',
  'TransferringToComponent',
  'VerifyingAtComponent',
  'InstallingOnComponent',
]

/** The arguments of the first message with this key. */
export function messageArgs(body: JsonObject, key: string): readonly string[] | undefined {
  const { Messages = [] } = body as {
    readonly Messages?: readonly { readonly MessageId: string; readonly MessageArgs: readonly string[] }[]
  }
  return Messages.find(({ MessageId }) => MessageId.endsWith(`.${key}`))?.MessageArgs
}

/** Resets a system or a manager, and lets the reset begin. */
export async function reset(
  { send, clock }: Pick<TestEmulator, 'send' | 'clock'>,
  resource: string,
  ResetType?: string,
) {
  const action = resource.startsWith(uris.systems) ? 'ComputerSystem.Reset' : 'Manager.Reset'
  const answer = await send(uris.action(resource, action), {
    method: 'POST',
    body: ResetType === undefined ? {} : { ResetType },
  })
  await clock.advance(1)
  return answer
}

/** The keys and origins of what the serving manager's log holds. */
export async function logged({ get, bmc }: TestEmulator): Promise<string[]> {
  const { Members } = (await get(uris.logEntries(bmc.machine.manager))) as {
    readonly Members?: readonly {
      readonly MessageId: string
      readonly Links: { readonly OriginOfCondition: { readonly '@odata.id': string } }
    }[]
  }
  return (Members ?? []).map(({ MessageId, Links }) => {
    const origin = Links.OriginOfCondition['@odata.id']
    return `${MessageId.split('.').at(-1)} ${origin.split('/').at(-1)}`
  })
}
