import type { Socket } from 'node:net'
import { type AnyAuthMethod, type AuthenticationType, type AuthHandlerMiddleware, Client } from 'ssh2'
import { plainHost } from '../lib/address-list.ts'
import { fail } from '../lib/result.ts'
import {
  FetchError,
  type Fetcher,
  type FetchProblem,
  type FetchRequest,
  type TransferOptions,
  type TrustedHostKey,
} from './fetcher.ts'
import { decoded, fileNameOf } from './file-name.ts'
import { openScp } from './scp.ts'
import { openSftp } from './sftp.ts'
import { openSource } from './source.ts'
import { sshPrivateKey } from './ssh-key.ts'

const SSH_PORT = 22
/** Who comes without a name. */
const ANONYMOUS = 'anonymous'

/** Fetches by SFTP. */
export function createSftpFetcher(options: TransferOptions): Fetcher {
  return createSshFetcher(options, openSftp)
}

/** Fetches by SCP. */
export function createScpFetcher(options: TransferOptions): Fetcher {
  return createSshFetcher(options, openScp)
}

function createSshFetcher({ network }: TransferOptions, openFile: typeof openSftp): Fetcher {
  return {
    open: async (request) => {
      const { uri, signal } = request
      // As curl has it: a path is absolute, unless it begins in the user's home.
      const path = decoded(uri.pathname).replace(/^\/~\//, './')
      if (path.includes('\0')) return fail({ kind: 'missing' })
      const port = uri.port === '' ? SSH_PORT : Number(uri.port)
      const dialled = await network.dial({ host: uri.hostname, port, signal })
      if (!dialled.ok) return dialled
      // Without it ssh2 waits for acknowledgements of small packets: 100 MiB in minutes instead of a second.
      const socket = dialled.value.setNoDelay(true)
      return openSource({ signal, close: () => void socket.destroy() }, async () => {
        const client = await login(socket, request)
        const file = await openFile(client, path)
        return { ...file, fileName: fileNameOf(uri) }
      })
    },
  }
}

/** An SSH connection to a server that is trusted, and lets us in. */
async function login(socket: Socket, request: FetchRequest): Promise<Client> {
  const { promise, resolve, reject } = Promise.withResolvers<Client>()
  const refuse = (problem: FetchProblem): void => reject(new FetchError(problem))
  const { trustedHostKeys } = request.identity
  const host = plainHost(request.uri.hostname).toLowerCase()
  const client = new Client()
  let isSecure = false
  client
    .on('ready', () => resolve(client))
    .on('handshake', () => (isSecure = true))
    // Once somebody is in, what reads the file learns by itself that the connection is lost.
    .on('error', ({ level }) => refuse(problemOf(level, isSecure)))
    .on('close', () => refuse({ kind: 'interrupted', detail: 'the server closed the connection' }))
    .on('change password', () => refuse({ kind: 'unauthorized', detail: 'the password has to be changed' }))
  client.connect({
    sock: socket,
    username: request.username ?? ANONYMOUS,
    // The clock watches.
    readyTimeout: 0,
    authHandler: authentication(request, () => {
      refuse({ kind: 'unauthorized', detail: 'the SSH server refuses the login' })
    }),
    ...(trustedHostKeys && {
      algorithms: { serverHostKey: hostKeyAlgorithms(trustedHostKeys) },
      // Judged in the handshake: nothing of the login has been sent by then.
      hostVerifier: (key: Buffer): boolean => {
        const isTrusted = trustedHostKeys.some((trusted) => isKeyOf(trusted, key, host))
        if (!isTrusted) refuse({ kind: 'untrusted', detail: 'the key of the SSH server is not trusted' })
        return isTrusted
      },
    }),
  })
  return promise
}

function problemOf(level: string | undefined, isSecure: boolean): FetchProblem {
  if (isSecure) return { kind: 'interrupted', detail: 'the SSH connection failed' }
  if (level === 'client-socket') return { kind: 'no-connection', detail: 'the connection failed' }
  if (level === 'handshake') return { kind: 'no-connection', detail: 'the SSH handshake failed' }
  return { kind: 'wrong-protocol' }
}

/** Each way to log in that the server offers is tried once; a wrong password is not offered in another way. */
function authentication(request: FetchRequest, giveUp: () => void): AuthHandlerMiddleware {
  const { username = ANONYMOUS } = request
  const methods = new Set(loginMethods(request, username))
  let isFirst = true
  return (offered: AuthenticationType[] | null, isPartial, next) => {
    // What a server offers is learned by asking for nothing.
    if (offered === null) return next({ type: 'none', username })
    const method = [...methods].find(({ type }) => offered.includes(type))
    if (method === undefined || !(isFirst || isPartial)) return giveUp()
    isFirst = false
    methods.delete(method)
    next(method)
  }
}

function loginMethods({ password, identity }: FetchRequest, username: string): AnyAuthMethod[] {
  if (password !== undefined) {
    return [
      { type: 'password', username, password },
      {
        type: 'keyboard-interactive',
        username,
        // What is not to be seen is the password.
        // oxlint-disable-next-line max-params -- ssh2 calls it so
        prompt: (_name, _instructions, _language, prompts, finish) =>
          finish(prompts.map(({ echo }) => (echo === true ? '' : password))),
      },
    ]
  }
  const { sshKey } = identity
  return sshKey === undefined ? [] : [{ type: 'publickey', username, key: sshPrivateKey(sshKey) }]
}

const keyAlgorithms = [
  ['ssh-ed25519', 'ssh-ed25519'],
  ['ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp256'],
  ['ecdsa-sha2-nistp384', 'ecdsa-sha2-nistp384'],
  ['ecdsa-sha2-nistp521', 'ecdsa-sha2-nistp521'],
  ['rsa-sha2-512', 'ssh-rsa'],
  ['rsa-sha2-256', 'ssh-rsa'],
] as const

/** Those of trusted keys first: a server with several keys then shows the one that we know. */
function hostKeyAlgorithms(trusted: readonly TrustedHostKey[]) {
  const types = new Set(trusted.map(({ publicKey }) => publicKey.trim().split(/\s+/)[0]))
  const known = keyAlgorithms.filter(([, type]) => types.has(type))
  return [...known, ...keyAlgorithms.filter((one) => !known.includes(one))].map(([algorithm]) => algorithm)
}

function isKeyOf(trusted: TrustedHostKey, key: Buffer, host: string): boolean {
  if (trusted.host !== undefined && plainHost(trusted.host).toLowerCase() !== host) return false
  const [, base64 = ''] = trusted.publicKey.trim().split(/\s+/)
  return Buffer.from(base64, 'base64').equals(key)
}
