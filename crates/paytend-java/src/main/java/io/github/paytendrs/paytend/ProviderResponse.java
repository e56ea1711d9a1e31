package io.github.paytendrs.paytend;

import java.util.Map;

/**
 * The HTTP response to send to the provider.
 *
 * @param status the HTTP status.
 * @param headers the headers.
 * @param body the body.
 */
public record ProviderResponse(int status, Map<String, String> headers, byte[] body) {}
