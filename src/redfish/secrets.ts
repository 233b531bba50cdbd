/** Names of members, and of headers, whose values are nobody's to see. */
const SECRET =
  /password|passphrase|passwd|pwd|token|secret|credential|authorization|(?:private|api|access)[-_ ]?key/i
/** Name and password of a server, in the URI of what is there. */
const USER_INFO = /(?<=:\/\/)[^/?#\s]*(?=@)/g
/** What follows a server's path: it may hold a token. */
const QUERY = /(?<=:\/\/[^?#\s]*[?#])\S+/g

/** A replacer for `JSON.stringify`: what is written holds no secret. */
export function withoutSecrets(name: string, value: unknown): unknown {
  if (SECRET.test(name)) return '******'
  return typeof value === 'string' ? value.replace(USER_INFO, '******').replace(QUERY, '******') : value
}
