package io.github.paytendrs.paytend;

import java.util.Map;

/** The HTTP response to send to the provider. */
public record ProviderResponse(int status, Map<String, String> headers, byte[] body) {}
