import { type Static, Type } from '../../lib/schema.ts'
import type { Bmc } from '../../bmc/bmc.ts'
import { fail, type Result, succeed } from '../../lib/result.ts'
import { readJson } from '../../redfish/json-body.ts'
import { about, type Message, message } from '../../redfish/messages/message.ts'
import { isObject, type JsonObject } from '../../redfish/resource.ts'
import { judge, type Mistake, propertyMessages } from '../../redfish/validation.ts'
import type { UpdateRequest } from '../../update/policy.ts'
import { resolveTarget } from '../../update/targets.ts'

/** The values of `@Redfish.OperationApplyTime` that updates honour. */
export const applyTimes = ['Immediate'] as const

const MAX_TARGETS = 5_000

// Clients send null for what they leave out (bmclib), and null among the targets (Lenovo XCC).
const References = Type.Unsafe<readonly (string | null)[] | null>({
  type: ['array', 'null'],
  maxItems: MAX_TARGETS,
  items: { type: ['string', 'null'], format: 'uri-reference', minLength: 1 },
})

/** UpdateService v1_17, UpdateParameters: closed but for Oem. */
const UpdateParameters = Type.Object(
  {
    Targets: Type.Optional(References),
    ExcludeTargets: Type.Optional(References),
    ForceUpdate: Type.Optional(Type.Boolean()),
    Stage: Type.Optional(Type.Boolean()),
    LocalImage: Type.Optional(Type.Boolean()),
    Oem: Type.Optional(Type.Unsafe<object | null>({ type: ['object', 'null'] })),
    '@Redfish.OperationApplyTime': Type.Optional(Type.Unsafe<string>({ type: 'string', enum: applyTimes })),
  },
  { additionalProperties: false },
)
const judgeParameters = judge(UpdateParameters)

export interface ParsedParameters {
  readonly request: UpdateRequest
  /** What the client sent, without secrets: for the task's Payload. */
  readonly jsonBody: string
}

/** Reads the UpdateParameters part of a push to this BMC; every mistake in it is told. */
export function parseParameters(bmc: Bmc, text: string): Result<ParsedParameters, readonly Message[]> {
  const read = readJson(text)
  if (!read.ok) return fail([read.problem])
  const data = read.value
  if (!isObject(data)) return fail([message('Base.MalformedJSON')])
  const judged = judgeParameters(data)
  const {
    Targets,
    ExcludeTargets,
    ForceUpdate = false,
    Stage,
    LocalImage,
  } = judged.ok ? judged.value : readable(data, judged.problem)
  const targets = resolveAll(bmc, 'Targets', Targets)
  // Targets with a member make ExcludeTargets of no account (UpdateService v1_17).
  const exclude = resolveAll(bmc, 'ExcludeTargets', targets.components.size > 0 ? null : ExcludeTargets)
  const mistakes = [
    ...(judged.ok ? [] : propertyMessages(judged.problem)),
    ...targets.mistakes,
    ...exclude.mistakes,
    ...unsupported('Stage', Stage),
    ...unsupported('LocalImage', LocalImage),
  ]
  if (mistakes.length > 0) return fail(mistakes)
  const named = targets.components.size > 0 ? targets.components : undefined
  return succeed({
    request: { targets: named, exclude: exclude.components, force: ForceUpdate },
    jsonBody: JSON.stringify(data, withoutSecrets),
  })
}

/** What the schema found nothing wrong with: its other mistakes belong in the same answer. */
function readable(data: JsonObject, problem: readonly Mistake[]): Partial<Static<typeof UpdateParameters>> {
  const wrong = new Set(problem.map(({ pointer }) => pointer.split('/')[1]))
  return Object.fromEntries(Object.entries(data).filter(([name]) => !wrong.has(name)))
}

function resolveAll(bmc: Bmc, property: string, references: readonly (string | null)[] | null = null) {
  const components = new Set<string>()
  const mistakes: Message[] = []
  for (const [index, reference] of (references ?? []).entries()) {
    if (reference === null) continue
    const target = resolveTarget(bmc, reference)
    const pointer = `/${property}/${index}`
    switch (target.kind) {
      case 'components':
        for (const { id } of target.components) components.add(id)
        break
      case 'unknown':
        mistakes.push(about(message('Base.ResourceMissingAtURI', target.path), pointer))
        break
      case 'not-updateable':
        mistakes.push(
          about(message('Base.PropertyValueResourceConflict', property, reference, target.path), pointer),
        )
        break
    }
  }
  return { components, mistakes }
}

function unsupported(property: string, asked: boolean | undefined): Message[] {
  return asked === true ? [about(message('Base.PropertyValueError', property), `/${property}`)] : []
}

const SECRET =
  /password|passphrase|passwd|pwd|token|secret|credential|authorization|(?:private|api|access)[-_ ]?key/i
/** Name and password of a server, in the URI of what is there. */
const USER_INFO = /(?<=:\/\/)[^/?#\s]*(?=@)/g

function withoutSecrets(name: string, value: unknown): unknown {
  if (SECRET.test(name)) return '******'
  return typeof value === 'string' ? value.replace(USER_INFO, '******') : value
}
