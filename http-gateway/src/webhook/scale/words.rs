//! Words for places on the scale, in the languages that callers are answered in.

use std::{collections::HashMap, sync::LazyLock};

use super::{HIGH, LOW, MEDIUM, VERY_HIGH, VERY_LOW, fold};

/// Place and spellings, separated by commas: French, English, German, Spanish, Italian, Portuguese,
/// Dutch, Polish, Croatian, Greek, Arabic, Chinese. Case and western European accents don't matter.
const SPELLINGS: &[(i32, &str)] = &[
    (VERY_LOW, "très basse, très bas, très faible, minime, pas du tout urgent"),
    (LOW, "basse, bas, faible, mineur, mineure, pas urgent, pas urgente, peu urgent, peu urgente"),
    (LOW, "non urgent, non urgente"),
    (MEDIUM, "moyenne, moyen, normale, normal, modérée, modéré, standard"),
    (HIGH, "haute, haut, élevée, élevé, forte, fort, urgent, urgente, assez urgent, assez urgente"),
    (HIGH, "important, importante, prioritaire, pressé, pressée"),
    (VERY_HIGH, "très haute, très haut, très élevée, très élevé, très forte, très fort"),
    (VERY_HIGH, "très urgent, très urgente, extrêmement urgent, extrêmement urgente, au plus vite"),
    (VERY_HIGH, "critique, bloquant, bloquante, immédiat, immédiate, maximale, dès que possible"),
    (VERY_LOW, "very low, verylow, lowest, trivial, not urgent at all"),
    (LOW, "low, minor, not urgent, no rush, whenever"),
    (MEDIUM, "medium, moderate, average"),
    (HIGH, "high, pressing, soon"),
    (VERY_HIGH, "very high, veryhigh, highest, very urgent, extremely urgent, critical, blocking"),
    (VERY_HIGH, "blocker, emergency, maximum, asap, as soon as possible, right now, now"),
    (VERY_LOW, "sehr niedrig, sehr gering"),
    (LOW, "niedrig, gering, nicht dringend, nicht eilig"),
    (MEDIUM, "mittel, mittlere"),
    (HIGH, "hoch, dringend, eilig, wichtig"),
    (VERY_HIGH, "sehr hoch, sehr dringend, sehr eilig, kritisch, notfall, sofort, höchste"),
    (VERY_LOW, "muy baja, muy bajo"),
    (LOW, "baja, bajo, no urgente, poco urgente"),
    (MEDIUM, "media, medio, moderada"),
    (HIGH, "alta, alto"),
    (VERY_HIGH, "muy alta, muy alto, muy urgente, crítica, crítico, emergencia, inmediata"),
    (VERY_LOW, "molto bassa, molto basso"),
    (LOW, "bassa, basso"),
    (MEDIUM, "normale, moderata"),
    (VERY_HIGH, "molto alta, molto alto, molto urgente, critica, critico, emergenza, immediata"),
    (VERY_LOW, "muito baixa, muito baixo"),
    (LOW, "baixa, baixo, não urgente"),
    (MEDIUM, "média, médio"),
    (VERY_HIGH, "muito alta, muito alto, muito urgente, emergência, imediata"),
    (VERY_LOW, "zeer laag, heel laag"),
    (LOW, "laag, niet dringend, geen haast"),
    (MEDIUM, "gemiddeld, normaal, middel"),
    (HIGH, "hoog, dringend, spoed"),
    (VERY_HIGH, "zeer hoog, heel hoog, zeer dringend, kritiek, noodgeval, onmiddellijk"),
    (VERY_LOW, "bardzo niski, bardzo niska"),
    (LOW, "niski, niska, niepilne, niepilny"),
    (MEDIUM, "średni, średnia, normalny, normalna"),
    (HIGH, "wysoki, wysoka, pilne, pilny, pilna"),
    (VERY_HIGH, "bardzo wysoki, bardzo wysoka, bardzo pilne, bardzo pilny, krytyczny, krytyczna"),
    (VERY_LOW, "vrlo niska, vrlo nizak"),
    (LOW, "niska, nizak, nije hitno"),
    (MEDIUM, "srednja, srednji, normalna"),
    (HIGH, "visoka, visok, hitno, hitan"),
    (VERY_HIGH, "vrlo visoka, vrlo visok, vrlo hitno, kritično, kritična, odmah"),
    (VERY_LOW, "πολύ χαμηλή, πολύ χαμηλό"),
    (LOW, "χαμηλή, χαμηλό, όχι επείγον"),
    (MEDIUM, "μεσαία, μέτρια, κανονική"),
    (HIGH, "υψηλή, υψηλό, επείγον, επείγουσα"),
    (VERY_HIGH, "πολύ υψηλή, πολύ υψηλό, πολύ επείγον, κρίσιμη, κρίσιμο, άμεσα"),
    (VERY_LOW, "منخفضة جدا, منخفض جدا"),
    (LOW, "منخفضة, منخفض, غير عاجل, ليس عاجلا"),
    (MEDIUM, "متوسطة, متوسط, عادي, عادية"),
    (HIGH, "عالية, عالي, عاجل, عاجلة, مستعجل"),
    (VERY_HIGH, "عالية جدا, عالي جدا, عاجل جدا, عاجلة جدا, طارئ, حرج, فورا"),
    (VERY_LOW, "很低, 非常低"),
    (LOW, "低, 不紧急, 不急"),
    (MEDIUM, "中, 中等, 普通, 一般, 正常"),
    (HIGH, "高, 紧急, 急"),
    (VERY_HIGH, "很高, 非常高, 非常紧急, 特别紧急, 危急, 立即, 马上"),
];

/// Folded spelling → place.
static PLACES: LazyLock<HashMap<String, i32>> = LazyLock::new(|| {
    let spellings = |(place, spellings): &(i32, &str)| {
        let place = *place;
        spellings.split(", ").map(move |spelling| (fold(spelling), place)).collect::<Vec<_>>()
    };
    SPELLINGS.iter().flat_map(spellings).collect()
});

/// The place that folded words mean.
pub(super) fn place(words: &str) -> Option<i32> {
    PLACES.get(words).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_means_two_places() {
        for (place, spellings) in SPELLINGS {
            for spelling in spellings.split(", ") {
                assert_eq!(super::place(&fold(spelling)), Some(*place), "{spelling}");
            }
        }
    }
}
