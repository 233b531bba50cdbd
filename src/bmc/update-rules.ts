import { type Static, Type } from '../lib/schema.ts'
import { type ApplyTime, applyTimes } from '../redfish/apply-times.ts'
import { uris } from '../redfish/uris.ts'
import { judge } from '../redfish/validation.ts'

const Path = Type.String({ pattern: '^(/[\\w.~-]+)+$' })

/** What an update service asks of its clients beyond the protocol: a vendor's rules, as data. */
export const GivenRules = Type.Object(
  {
    /** MultipartHttpPushUri. */
    pushUri: Type.Optional(Path),
    /** HttpPushUri. */
    rawPushUri: Type.Optional(Path),
    /** How many items Targets may have. */
    maxTargets: Type.Optional(Type.Integer({ minimum: 0 })),
    /** The components that Targets may name; unless given, whatever UpdateService v1_17 lets it name. */
    allowedTargets: Type.Optional(Type.Array(Type.String())),
    /** Components that are left alone unless a request names them. */
    onlyWhenNamed: Type.Optional(Type.Array(Type.String())),
    /** What `@Redfish.OperationApplyTime` may say. */
    applyTimes: Type.Optional(
      Type.Array(Type.Unsafe<ApplyTime>({ enum: applyTimes }), { minItems: 1, uniqueItems: true }),
    ),
    /** Whether an image for several components goes to all of them, whatever Targets says. */
    bundlesIgnoreTargets: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false },
)
export type GivenRules = Static<typeof GivenRules>
const judgeRules = judge(GivenRules)

/** The rules of a machine's update service, complete. */
export interface UpdateRules {
  readonly pushUri: string
  readonly rawPushUri: string
  readonly maxTargets: number
  readonly allowedTargets: readonly string[] | undefined
  readonly applyTimes: readonly ApplyTime[]
  readonly bundlesIgnoreTargets: boolean
}

/** Those of the standard. */
export const ordinaryRules: UpdateRules = {
  pushUri: uris.multipartPush,
  rawPushUri: uris.rawPush,
  maxTargets: Infinity,
  allowedTargets: undefined,
  applyTimes,
  bundlesIgnoreTargets: false,
}

/** The rules with these in the place of some. Throws an Error where they contradict each other. */
export function withGiven(rules: UpdateRules, given: Omit<GivenRules, 'onlyWhenNamed'>): UpdateRules {
  const made = { ...rules, ...given }
  if (made.pushUri === made.rawPushUri) throw new Error(`two ways to push share the URI ${made.pushUri}`)
  return made
}

/** The rules of a profile's file. Throws an Error that lists everything wrong with it. */
export function rulesOfProfile(name: string, file: unknown): GivenRules {
  const judged = judgeRules(file)
  if (judged.ok) return judged.value
  const lines = judged.problem.map(
    ({ pointer, kind, expected }) => `  ${pointer}: ${kind}, expected ${expected}`,
  )
  throw new Error(`profile ${name} is wrong:\n${lines.join('\n')}`)
}
