import type { Bmc, BmcAction, Row } from '../../bmc/bmc.ts'
import { commit } from '../../bmc/commit.ts'
import { makeSshKey, type SshKeyKind } from '../../bmc/ssh-key.ts'
import type { Clock } from '../../lib/clock.ts'
import { type Static, Type } from '../../lib/schema.ts'
import { RedfishError } from '../../redfish/errors.ts'
import { about, type Message, message } from '../../redfish/messages/message.ts'
import type { JsonObject } from '../../redfish/resource.ts'
import type { Answer, Call } from '../../redfish/resource-table.ts'
import { uris } from '../../redfish/uris.ts'
import { actionInfoRow, actionTarget } from './action-info.ts'
import { sshKeyView } from './remote-server-keys.ts'

const GENERATE = 'GenerateSSHIdentityKeyPair'
const REMOVE = 'RemoveSSHIdentityKeyPair'
/** The service has one key pair at most. */
const KEY_ID = '1'

/** Curves by their names in Redfish: those that SSH servers take. Redfish has more of them, and DSA. */
const curves = { NISTP256: 'nistp256', NISTP384: 'nistp384', NISTP521: 'nistp521' } as const

interface Parameter {
  readonly name: 'KeyType' | 'KeyLength' | 'Curve'
  readonly values: readonly (string | number)[]
  /** The only key type that has it, and needs it. */
  readonly only?: string
}

const keyTypes = ['RSA', 'ECDSA', 'Ed25519']
const parameters: readonly Parameter[] = [
  { name: 'KeyType', values: keyTypes },
  { name: 'KeyLength', values: [2048, 3072, 4096], only: 'RSA' },
  { name: 'Curve', values: Object.keys(curves), only: 'ECDSA' },
]

const closed = { additionalProperties: false }
const NoParameters = Type.Object({}, closed)
// Values are judged by the table above: gofish sends every parameter, as an empty text or 0 where it has none.
const GenerateParameters = Type.Object(
  {
    KeyType: Type.Optional(Type.String()),
    KeyLength: Type.Optional(Type.Integer()),
    Curve: Type.Optional(Type.String()),
  },
  closed,
)
type Asked = Static<typeof GenerateParameters>

/** The service's own SSH key, while it has one, and what its actions take. */
export const sshIdentityRows: readonly Row[] = [
  {
    path: uris.identityKey(':id'),
    type: 'Key',
    view: ({ state }, { id = '' }) => {
      const key = state.identityKeys.get(id)
      return key && sshKeyView(uris.identityKey(id), 'SSH key of the update service', key)
    },
  },
  actionInfoRow(GENERATE, () =>
    parameters.map(({ name, values, only }) => ({
      Name: name,
      Required: only === undefined,
      DataType: isNumeric(values) ? 'Number' : 'String',
      [allowable(values)]: values.map(String),
    })),
  ),
  actionInfoRow(REMOVE, () => []),
]

/** The actions as the UpdateService shows them. */
export const sshIdentityTargets: JsonObject = {
  ...actionTarget(
    GENERATE,
    Object.fromEntries(
      parameters.map(({ name, values }) => [`${name}@Redfish.${allowable(values)}`, values.map(String)]),
    ),
  ),
  ...actionTarget(REMOVE),
}

export function sshIdentityActions(clock: Clock): Readonly<Record<string, BmcAction>> {
  return {
    [`UpdateService.${GENERATE}`]: { parameters: GenerateParameters, run: (call) => generate(clock, call) },
    [`UpdateService.${REMOVE}`]: { parameters: NoParameters, run: remove },
  }
}

/** The URI of the service's own key, while there is one. */
export function identityKeyUri({ state }: Bmc): string | undefined {
  return state.identityKeys.has(KEY_ID) ? uris.identityKey(KEY_ID) : undefined
}

async function generate(clock: Clock, { bmc, body }: Call<Bmc>): Promise<Answer> {
  const key = await clock.io(makeSshKey(kindOf(body as Asked)))
  commit(bmc, { identityKeys: [[KEY_ID, key]] })
  return { status: 204 }
}

function remove({ bmc }: Call<Bmc>): Answer {
  if (bmc.state.identityKeys.has(KEY_ID)) commit(bmc, { identityKeys: [[KEY_ID, undefined]] })
  return { status: 204 }
}

/** The key that the parameters ask for. Throws a RedfishError (400) that tells every mistake. */
function kindOf(asked: Asked): SshKeyKind {
  const mistakes = parameters.flatMap((parameter) => mistakesIn(asked, parameter))
  if (mistakes.length > 0) throw new RedfishError(400, mistakes)
  const { KeyType, KeyLength = 0, Curve = '' } = asked
  if (KeyType === 'RSA') return { type: KeyType, bits: KeyLength }
  if (KeyType === 'Ed25519') return { type: KeyType }
  return { type: 'ECDSA', curve: curves[Curve as keyof typeof curves] } // its name was in the list
}

function mistakesIn(asked: Asked, { name, values, only }: Parameter): Message[] {
  const action = `UpdateService.${GENERATE}`
  const value = asked[name]
  const isOurs = only === undefined || only === asked.KeyType
  if (value === undefined || value === '' || value === 0)
    return isOurs ? [about(message('Base.ActionParameterMissing', action, name), `/${name}`)] : []
  if (!isOurs && keyTypes.includes(asked.KeyType ?? ''))
    return [about(message('Base.ActionParameterNotSupported', name, action), `/${name}`)]
  if (values.includes(value)) return []
  return [about(message('Base.ActionParameterValueNotInList', String(value), name, action), `/${name}`)]
}

/** Numbers are listed as texts, too: in the same notation as ranges (DSP0266, allowable values for numbers). */
function allowable(values: Parameter['values']): 'AllowableNumbers' | 'AllowableValues' {
  return isNumeric(values) ? 'AllowableNumbers' : 'AllowableValues'
}

function isNumeric(values: Parameter['values']): boolean {
  return values.every((value) => typeof value === 'number')
}
