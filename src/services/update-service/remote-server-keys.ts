import type { Bmc, Row } from '../../bmc/bmc.ts'
import { commit } from '../../bmc/commit.ts'
import type { SshPublicKey, TrustedKey } from '../../bmc/image-servers.ts'
import { readSshKey } from '../../bmc/ssh-key.ts'
import { type Static, Type } from '../../lib/schema.ts'
import { bodyAs } from '../../redfish/body.ts'
import { RedfishError } from '../../redfish/errors.ts'
import { about, type Message, message } from '../../redfish/messages/message.ts'
import { collection, type JsonObject, type Resource, resource } from '../../redfish/resource.ts'
import type { Answer, Call } from '../../redfish/resource-table.ts'
import { uris } from '../../redfish/uris.ts'
import { newMemberId } from './new-member.ts'

const closed = { additionalProperties: false }
const UserDescription = Type.Optional(
  Type.Unsafe<string | null>({ type: ['string', 'null'], maxLength: 256 }),
)

const NewKey = Type.Object(
  {
    KeyString: Type.String(),
    KeyType: Type.Unsafe<'SSH'>({ enum: ['SSH'] }),
    SSH: Type.Optional(
      Type.Object(
        {
          RemoteServerHostName: Type.Optional(
            Type.String({ minLength: 1, maxLength: 253, pattern: '^[\\x21-\\x7e]+$' }),
          ),
        },
        closed,
      ),
    ),
    UserDescription,
  },
  closed,
)
const KeyPatch = Type.Object({ UserDescription }, closed)

/** Keys of SSH servers that images may come from. */
export const remoteServerKeyRows: readonly Row[] = [
  {
    path: uris.remoteServerKeys,
    type: 'KeyCollection',
    view: ({ state }) =>
      collection(
        'KeyCollection',
        uris.remoteServerKeys,
        'Keys of image servers',
        [...state.trustedKeys.keys()].map(uris.remoteServerKey),
      ),
    post: create,
  },
  {
    path: uris.remoteServerKey(':id'),
    type: 'Key',
    view: ({ state }, { id = '' }) => {
      const key = state.trustedKeys.get(id)
      return key && trustedKeyView(id, key)
    },
    patch: {
      schema: KeyPatch,
      apply: ({ bmc, params: { id = '' }, body }) => {
        const { UserDescription: description = null } = body as Static<typeof KeyPatch>
        const key = bmc.state.trustedKeys.get(id)
        if (key) commit(bmc, { trustedKeys: [[id, { ...key, description }]] })
      },
    },
    delete: ({ bmc, params: { id = '' } }) => {
      commit(bmc, { trustedKeys: [[id, undefined]] })
      return { status: 204 }
    },
  },
]

function create({ bmc, body }: Call<Bmc>): Answer {
  const { trustedKeys } = bmc.state
  const asked = bodyAs(NewKey, body, keyMistakes)
  const read = readSshKey(asked.KeyString)
  if (!read.ok) throw new Error('a key that was judged right cannot be read')
  const key: TrustedKey = {
    ...read.value,
    host: asked.SSH?.RemoteServerHostName,
    description: asked.UserDescription ?? null,
  }
  if ([...trustedKeys.values()].some((other) => isSame(key, other))) {
    const exists = message('Base.ResourceAlreadyExists', 'Key', 'SSH/Fingerprint', key.fingerprint)
    throw new RedfishError(400, about(exists, '/KeyString'))
  }
  const id = newMemberId(trustedKeys)
  commit(bmc, { trustedKeys: [[id, key]] })
  return { status: 201, headers: { Location: uris.remoteServerKey(id) }, body: trustedKeyView(id, key) }
}

/** A message never repeats the string: somebody may have sent the private half. */
function keyMistakes({ KeyString: text }: JsonObject): Message[] {
  if (typeof text !== 'string' || readSshKey(text).ok) return []
  return [about(message('Base.PropertyValueFormatError', '******', 'KeyString'), '/KeyString')]
}

/** The same key may count for several servers. */
function isSame(one: TrustedKey, other: TrustedKey): boolean {
  const hosts = [one.host?.toLowerCase(), other.host?.toLowerCase()]
  return one.fingerprint === other.fingerprint && hosts[0] === hosts[1]
}

function trustedKeyView(id: string, key: TrustedKey): Resource {
  const shown = sshKeyView(uris.remoteServerKey(id), 'Key of an image server', key)
  return {
    ...shown,
    SSH: { ...shown.SSH, RemoteServerHostName: key.host },
    UserDescription: key.description,
  }
}

/** A Key, as far as all of them have it in common. */
export function sshKeyView(uri: string, name: string, { line, fingerprint, comment }: SshPublicKey) {
  return {
    ...resource('Key', uri, name),
    KeyString: line,
    KeyType: 'SSH',
    SSH: { Fingerprint: fingerprint, Comment: comment },
  } as const
}
