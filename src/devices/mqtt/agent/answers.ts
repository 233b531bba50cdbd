import { type Action, actions } from '../actions.ts'
import { attributesOf, covers } from '../attributes.ts'
import { type Firmware, isWorking, states, step, updateStatuses } from '../firmware.ts'
import { namesOf, rc, read, toDevice } from '../messages.ts'
import type { Quirk } from './traits.ts'

/** What a device keeps in mind, through reboots too. */
export interface AgentState {
  /** The version of its firmware. */
  readonly runs: string
  readonly firmware: Firmware
  readonly observed: readonly string[]
}

/** What becomes of a device that is asked for something. */
export interface Answer {
  readonly state: AgentState
  /** What it answers, if anything. */
  readonly response?: { readonly rc: number; readonly message?: string; readonly d?: object }
  /** What it does when it has answered. */
  readonly deed?: Action
}

export interface Question {
  readonly path: string
  readonly payload: Uint8Array
  readonly quirks: ReadonlySet<Quirk>
}

type Answering = (state: AgentState, question: Question) => Answer

/** What a device does about a message that is no answer. */
export function answer(state: AgentState, question: Question): Answer {
  const answering = answers.get(question.path)
  return answering?.(state, question) ?? refuse(state, rc.notImplemented, 'this device does not do that')
}

const answers: ReadonlyMap<string, Answering> = new Map<string, Answering>([
  [toDevice.update, write],
  [toDevice.observe, observe],
  [toDevice.cancel, cancel],
  [actions['firmware/download'].path, (state, question) => begin(state, question, 'firmware/download')],
  [actions['firmware/update'].path, (state, question) => begin(state, question, 'firmware/update')],
  [actions['device/reboot'].path, (state) => reboot(state, 'device/reboot')],
  [actions['device/factoryReset'].path, (state) => reboot(state, 'device/factoryReset')],
])

function write(state: AgentState, { payload, quirks }: Question): Answer {
  const said = read.write(payload)
  if (!said.ok) return refuse(state, rc.badRequest, said.problem)
  const told = attributesOf(said.value.d.fields)
  if (!told.ok) return refuse(state, rc.badRequest, `the value of ${told.problem} is wrong`)
  const value = told.value.firmware
  if (value === undefined) return { state, response: { rc: rc.changed } }
  const { firmware, rc: code = rc.changed, message } = step(state.firmware, { kind: 'described', value })
  if (code === rc.changed) return { state: { ...state, firmware }, response: { rc: code } }
  if (!quirks.has('overwrites')) return refuse(state, code, message)
  return { state: { ...state, firmware: { ...firmware, ...value } }, response: { rc: rc.changed } }
}

function observe(state: AgentState, { payload, quirks }: Question): Answer {
  const said = read.watch(payload)
  if (!said.ok) return refuse(state, rc.badRequest, said.problem)
  const names = namesOf(said.value)
  const strange = names.find((name) => !['mgmt.firmware', 'deviceInfo'].some((known) => covers(known, name)))
  if (strange !== undefined) return refuse(state, rc.notFound, `there is no ${strange} here`)
  const fields = names.map((field) => ({ field, value: valueOf(state, field) }))
  return {
    state: { ...state, observed: [...new Set([...state.observed, ...names])] },
    response: { rc: rc.ok, ...(!quirks.has('omits-values') && { d: { fields } }) },
  }
}

/** What an attribute, or a member of one, is now. */
function valueOf({ firmware, runs }: AgentState, field: string): unknown {
  const info = { fwVersion: runs }
  const all = new Map<string, unknown>([
    ['mgmt.firmware', firmware],
    ...Object.entries(firmware).map(([name, value]): [string, unknown] => [`mgmt.firmware.${name}`, value]),
    ['deviceInfo', info],
    ['deviceInfo.fwVersion', runs],
  ])
  return all.get(field) ?? null
}

function cancel(state: AgentState, { payload }: Question): Answer {
  const said = read.watch(payload)
  if (!said.ok) return refuse(state, rc.badRequest, said.problem)
  const names = namesOf(said.value)
  const observed = state.observed.filter((name) => !names.includes(name))
  return { state: { ...state, observed }, response: { rc: rc.ok } }
}

function begin(
  state: AgentState,
  { quirks }: Question,
  deed: 'firmware/download' | 'firmware/update',
): Answer {
  const kind = deed === 'firmware/download' ? 'download-asked' : 'update-asked'
  if (state.firmware.uri === '' && quirks.has('dumb-undescribed')) return { state }
  const { firmware, rc: code = rc.accepted, message, begins } = step(state.firmware, { kind })
  if (begins !== undefined) return { state: { ...state, firmware }, response: { rc: code }, deed }
  if (!quirks.has('acts-when-refusing')) return refuse(state, code, message)
  const working =
    kind === 'download-asked'
      ? { state: states.downloading, updateStatus: updateStatuses.success }
      : { updateStatus: updateStatuses.inProgress }
  return { ...refuse({ ...state, firmware: { ...firmware, ...working } }, code, message), deed }
}

function reboot(state: AgentState, deed: Action): Answer {
  if (isWorking(state.firmware) && state.firmware.state !== states.downloading)
    return refuse(state, rc.conflict, 'firmware is being installed')
  return { state, response: { rc: rc.accepted }, deed }
}

function refuse(state: AgentState, code: number, message = ''): Answer {
  return { state, response: { rc: code, message } }
}
