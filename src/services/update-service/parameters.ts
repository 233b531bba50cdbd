import { Type } from 'typebox'
import type { Bmc } from '../../bmc/bmc.ts'
import { fail, type Result, succeed } from '../../lib/result.ts'
import { about, type Message, message } from '../../redfish/messages/message.ts'
import { isObject, type Json } from '../../redfish/resource.ts'
import { judge, propertyMessages } from '../../redfish/validation.ts'
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
  const data = parseJson(text)
  if (!isObject(data)) return fail([message('Base.MalformedJSON')])
  const judged = judgeParameters(data)
  if (!judged.ok) return fail(propertyMessages(judged.problem))
  const { Targets, ExcludeTargets, ForceUpdate = false, Stage, LocalImage } = judged.value
  const targets = resolveAll(bmc, 'Targets', Targets)
  // Targets with a member make ExcludeTargets of no account (UpdateService v1_17).
  const exclude = resolveAll(bmc, 'ExcludeTargets', targets.components.size > 0 ? null : ExcludeTargets)
  const mistakes = [
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

function parseJson(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json
  } catch {
    return undefined // not JSON is not an object either
  }
}

function withoutSecrets(name: string, value: unknown): unknown {
  return /password|token|secret|credential/i.test(name) ? '******' : value
}
