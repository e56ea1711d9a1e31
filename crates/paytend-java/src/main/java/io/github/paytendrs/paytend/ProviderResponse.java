package io.github.paytendrs.paytend;

import java.util.Map;

/**
 * The HTTP response to send to the provider.
 *
 * @param status the HTTP status code.
 * @param headers the header values by name.
 * @param body the bytes of the body.
 */
public record ProviderResponse(int status, Map<String, String> headers, byte[] body) {}
